import { load } from './word.ts';
export function pollWhileWaiting(address: u32, startNs: u32): void {
  if (load(0x180) === 2 && address === startNs) return;
}
