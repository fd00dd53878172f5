/** stub */
import { MM_LOCK_SEQ } from './layout.ts';
import { add } from './word.ts';
export function mmapReadLock(mm: u32): void {}
export function mmapReadTrylock(mm: u32): boolean {
  return true;
}
export function mmapReadUnlock(mm: u32): void {}
export function mmapWriteLock(mm: u32): void {}
export function mmapWriteUnlock(mm: u32): void {
  add(mm + MM_LOCK_SEQ, 1);
}
export function mmapWriteDowngrade(mm: u32): void {
  add(mm + MM_LOCK_SEQ, 1);
}
