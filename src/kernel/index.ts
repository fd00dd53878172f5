export { awaitWord, notify, load } from './word.ts';
export { cpuArea } from './layout.ts';
export { cpuId, setThisCpu } from './percpu.ts';
export { beginOperation, endOperation } from './report.ts';
export { count, counterValue } from './stats.ts';
export { injectFailure, syncPoint } from './inject.ts';
export {
  interruptAll,
  irqDisable,
  irqEnable,
  needResched,
  pollInterrupts,
  sendInterrupt,
  waitInterrupt,
} from './irq.ts';
export { lockOwner, spinLock, spinLockNested, spinTrylock, spinUnlock } from './lock.ts';
