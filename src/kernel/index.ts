export { awaitWord, notify, load } from './word.ts';
export { cpuArea } from './layout.ts';
export { cpuId, setThisCpu } from './percpu.ts';
export { beginOperation, endOperation, violation } from './report.ts';
export { count, counterValue } from './stats.ts';
export { syncPoint } from './inject.ts';
export {
  interruptAll,
  irqDisable,
  irqEnable,
  pollInterrupts,
  sendInterrupt,
  waitInterrupt,
} from './irq.ts';
export { lockOwner, spinLock, spinLockNested, spinUnlock } from './lock.ts';
export {
  callRcu,
  condResched,
  rcuBarrier,
  rcuIdleEnter,
  rcuIdleExit,
  rcuInit,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  synchronizeRcu,
  synchronizeRcuExpedited,
} from './rcu.ts';
export {
  mmapReadLock,
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteLock,
  mmapWriteUnlock,
} from './mmapLock.ts';
export {
  measureCallRcu,
  measureCountUnderLock,
  measureLock,
  measureQuiescentState,
  measureReadSection,
  measureSynchronizeRcu,
} from './measure.ts';
