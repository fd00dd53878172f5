/** Read-copy update: signatures first. */
export function rcuReadLock(): void {}
export function rcuReadUnlock(): void {}
export function rcuQuiescentState(): void {}
export function rcuIdleEnter(): void {}
export function rcuIdleExit(): void {}
export function callRcu(head: u32, func: u32): void {
  if (head === func) return;
}
export function synchronizeRcu(): void {}
export function synchronizeRcuExpedited(): void {}
export function rcuBarrier(): void {}
export function condResched(): void {}
export function rcuInit(): void {}
