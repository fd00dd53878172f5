/**
 * userfaultfd: which ranges its calls take, and the flags of VMAs that it watches by.
 *
 * Source: Linux mm/userfaultfd.c and fs/userfaultfd.c (validate_range, __VM_UFFD_FLAGS).
 */

import { TASK_END, VM_UFFD_MISSING, VM_UFFD_WP } from '../word/config.ts';

/** What a VMA is watched for. */
export const VM_UFFD_FLAGS: u32 = VM_UFFD_MISSING | VM_UFFD_WP;

/** Whether a range is one that a call can name at all (validate_range). */
export function uffdRangeValid(start: Vpn, pages: u32): boolean {
  return pages !== 0 && start < TASK_END && pages <= TASK_END - start;
}
