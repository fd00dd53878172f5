/**
 * A monitor: what a program's handler thread does with the messages of its userfaultfd. For CPUs that serve others, and
 * for those that serve themselves while they wait (C_UFFD_MONITOR), so that a machine whose every CPU may fault cannot
 * come to a standstill.
 *
 * Every message is answered, in this order: read; resolve; on any error wake, so that the access faults again, or ends
 * as it must. A monitor never faults: what it copies from has no bytes. Source: Linux
 * Documentation/admin-guide/mm/userfaultfd.rst; tools/testing/selftests/mm/uffd-common.c (uffd_handle_page_fault).
 */

import { UFFD_FAULT_WP, uffdRead, uffdWake } from '../watch/uffdFault.ts';
import { CPUS_MAX, EEXIST } from '../word/config.ts';
import { C_UFFD_MESSAGE, C_UFFD_MONITOR } from '../word/layout.ts';
import { thisCpu } from '../word/percpu.ts';
import { peek, poke } from '../word/word.ts';
import { uffdCopy, uffdZeropage } from './uffdFill.ts';
import { uffdWriteprotect } from './uffdWp.ts';

/** Makes this CPU one that resolves faults while it waits for its own (`on` 1), or one that only waits (0). */
export function uffdMonitor(on: u32): void {
  poke(thisCpu() + C_UFFD_MONITOR, on);
}

/**
 * Resolves the fault that this CPU read last: a missing page by a copy, every fourth one by the zero page, unless a
 * marker is in the way: to the fault a marker is as good as none, to UFFDIO_ZEROPAGE it is a page, and a monitor that
 * only wakes then is asked again for ever.
 */
function resolve(mm: Mm): void {
  const vpn = peek(thisCpu() + C_UFFD_MESSAGE);
  const reason = peek(thisCpu() + C_UFFD_MESSAGE + 4);
  let error: u32 = 0;
  if (reason === UFFD_FAULT_WP) {
    error = uffdWriteprotect(mm, vpn, 1, 0);
  } else {
    error = (vpn & 3) === 3 ? uffdZeropage(mm, vpn, 1, 0) : EEXIST;
    if (error === EEXIST) error = uffdCopy(mm, vpn, 1, 0);
  }
  if (error !== 0) uffdWake(mm, vpn, 1);
}

/** Answers what is pending, one message for each CPU at most. No lock held. Returns how many there were. */
export function uffdServe(mm: Mm): u32 {
  let served: u32 = 0;
  while (served < CPUS_MAX && uffdRead(mm)) {
    resolve(mm);
    served += 1;
  }
  return served;
}
