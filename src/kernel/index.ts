export { awaitWord, notify, load } from './word.ts';
export { cpuArea } from './layout.ts';
export { cpuId, setThisCpu } from './percpu.ts';
export { beginOperation, endOperation, operationArguments } from './operation.ts';
export { eventsRecorded, violation } from './report.ts';
export { count, counterValue } from './stats.ts';
export { countLoggedWaits } from './waitLog.ts';
export { syncPoint } from './inject.ts';
export {
  interruptAll,
  irqDisable,
  irqEnable,
  pollInterrupts,
  sendInterrupt,
  waitInterrupt,
} from './irq.ts';
export { lockOwner, spinLock, spinLockNested, spinTrylock, spinUnlock } from './lock.ts';
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
  measureReader,
  measureReadSection,
  measureSynchronizeRcu,
  measureWalk,
  measureWalkLockless,
} from './measure.ts';
export { access, hardwareWalk } from './access.ts';
export { doBrk } from './brk.ts';
export { userFault } from './fault.ts';
export {
  drainFrameCache,
  folioGet,
  folioHead,
  folioPut,
  folioTryGet,
  frameAlloc,
  frameGeneration,
} from './frame.ts';
export { forkMm } from './fork.ts';
export { gatherFinish, gatherStart } from './gather.ts';
export { gupCheck, gupFast, gupFastOnly, gupPut } from './gupFast.ts';
export { deferredSplitPass } from './splitFolio.ts';
export { khugepagedPass } from './khugepaged.ts';
export { doMadvise } from './madvise.ts';
export { isolatePage, migrateFolio, migratePage } from './migrate.ts';
export {
  inodeCreate,
  inodePut,
  mmCreate,
  mmDestroy,
  mmDrop,
  mmGet,
  mmGetNotZero,
  mmGrab,
  mmPut,
} from './mm.ts';
export {
  folioMapCount,
  rmapAddPmd,
  rmapAddPtes,
  rmapRemovePmd,
  rmapRemovePtes,
} from './mapcount.ts';
export { doMmap, mapImplicit } from './mmap.ts';
export { doMprotect } from './mprotect.ts';
export { doMremap } from './mremap.ts';
export { doMunmap } from './munmap.ts';
export { reclaimPage, shrinkFolio } from './pageout.ts';
export { populateRange } from './populate.ts';
export { folioLock, folioTrylock, folioUnlock } from './sleepLock.ts';
export { removeMigrationPtes, tryToMigrate, tryToUnmap } from './rmap.ts';
export { pteLockOf, pteOffsetMap, pteOffsetMapLock, pteUnmap, pteUnmapUnlock } from './pteMap.ts';
export { detachedTable, reclaimLocked } from './ptReclaim.ts';
export { anonPages, rssTotal } from './rss.ts';
export { drainTableCache, tableAlloc, tableFree } from './table.ts';
export { flushTlbRange, switchMm } from './tlb.ts';
export { doTruncate } from './truncate.ts';
export { uffdApi, uffdClose, uffdRegister, uffdUnregister } from './uffd.ts';
export { uffdPending, uffdRead, uffdWake } from './uffdFault.ts';
export { uffdCopy, uffdDone, uffdZeropage } from './uffdFill.ts';
export { uffdMonitor, uffdServe } from './uffdMonitor.ts';
export { uffdMove } from './uffdMove.ts';
export { uffdWriteprotect } from './uffdWp.ts';
export { vmaAudit } from './vma.ts';
export { lockVmaUnderRcu, vmaReadUnlock } from './vmaLock.ts';
export { walkBegin, walkEnd } from './protocol.ts';
export { mmTables, pmdFind, pmdLock, pmdOf, pmdUnlock } from './walk.ts';
export { stallReader, walkLockless } from './walkers.ts';
export { drainCaches } from './drain.ts';
export { drainDaemons, runDaemons } from './daemons.ts';
export { setDaemonClock } from './daemonClock.ts';
