/**
 * The kernel's second door: its calls (the first, abi.ts, has constants and layout), and the plan of the house. A room
 * imports from those above it in this list, never from one below; test/unit/floors.test.ts holds that.
 *
 *     word        shared words and their meaning: layout, entries, constants, protocols' hooks, a run's constants
 *     observe     counters, events, violations, the lock order, measuring of contention, injected trouble
 *     cpu         interrupts, TLBs, waiting
 *     lock        spinlocks; kinds/ has one file a kind
 *     alloc       tables, frames and folios, VMAs' memory, swap slots
 *     rcu         grace periods and callbacks
 *     sleep       reader-writer locks, mmap_lock
 *     space       address spaces, VMAs and their locks, anon_vmas
 *     tables      finding and mapping page tables (walk, pteMap), walkers, gathers, emptiness, freeing
 *     watch       userfaultfd: markers, ranges, the fault's half
 *     huge        huge PMDs and their deposits
 *     protocols   who frees empty tables, when and how: one file or folder each
 *     zap         taking pages out
 *     rmap        from a page to its mappings; migration, files
 *     vma         munmap, mprotect, moving tables, the end of an address space
 *     fault       what faults are made of
 *     uffd        userfaultfd: the monitor's half
 *     access      accesses, faults, GUP
 *     calls       system calls
 *     daemons     what kernel threads do
 */

export { access, hardwareWalk } from './access/access.ts';
export { userFault } from './access/fault.ts';
export { gupCheck, gupFast, gupFastOnly, gupPut } from './access/gupFast.ts';
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
} from './access/measure.ts';
export { populateRange } from './access/populate.ts';
export { drainCaches } from './alloc/drain.ts';
export { folioGet, folioHead, frameGeneration } from './alloc/folio.ts';
export { drainFrameCache, folioPut, folioTryGet, frameAlloc } from './alloc/frame.ts';
export { drainTableCache, tableAlloc, tableFree } from './alloc/table.ts';
export { doBrk } from './calls/brk.ts';
export { forkMm } from './calls/fork.ts';
export { doMadvise } from './calls/madvise.ts';
export { doMmap, mapImplicit } from './calls/mmap.ts';
export { doMremap } from './calls/mremap.ts';
export { reclaimPage, shrinkFolio } from './calls/pageout.ts';
export { doTruncate } from './calls/truncate.ts';
export { awaitWord } from './cpu/await.ts';
export { flushTlbRange, switchMm } from './cpu/flush.ts';
export { interruptAll, waitInterrupt } from './cpu/ipi.ts';
export { irqDisable, irqEnable, pollInterrupts, sendInterrupt } from './cpu/irq.ts';
export { syncPoint } from './cpu/syncPoint.ts';
export { drainDaemons, runDaemons } from './daemons/daemons.ts';
export { khugepagedPass } from './daemons/khugepaged.ts';
export { lockOwner, spinLock, spinLockNested, spinTrylock, spinUnlock } from './lock/lock.ts';
export { beginOperation, endOperation, operationArguments } from './observe/operation.ts';
export { eventsRecorded, violation } from './observe/report.ts';
export { count, counterValue } from './observe/stats.ts';
export { countLoggedWaits } from './observe/waitLog.ts';
export { detachedTable, reclaimLocked } from './tables/zapDetach.ts';
export {
  condResched,
  rcuBarrier,
  rcuIdleEnter,
  rcuIdleExit,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  synchronizeRcu,
  synchronizeRcuExpedited,
} from './rcu/rcu.ts';
export { rcuInit } from './rcu/rcuGracePeriod.ts';
export { callRcu } from './rcu/rcuList.ts';
export { inodeCreate, inodePut } from './rmap/inode.ts';
export { isolatePage, migrateFolio, migratePage } from './rmap/migrate.ts';
export { removeMigrationPtes, tryToMigrate, tryToUnmap } from './rmap/rmap.ts';
export { deferredSplitPass } from './rmap/splitFolio.ts';
export {
  mmapReadLock,
  mmapReadUnlock,
  mmapWriteDowngrade,
  mmapWriteLock,
  mmapWriteUnlock,
} from './sleep/mmapLock.ts';
export { folioLock, folioTrylock, folioUnlock } from './sleep/sleepLock.ts';
export { setDaemonClock } from './space/daemonClock.ts';
export {
  folioMapCount,
  rmapAddPmd,
  rmapAddPtes,
  rmapRemovePmd,
  rmapRemovePtes,
} from './space/mapcount.ts';
export { mmCreate, mmDrop, mmGrab } from './space/mm.ts';
export { anonPages, rssTotal } from './space/rss.ts';
export { vmaAudit } from './space/vma.ts';
export { lockVmaUnderRcu, vmaReadUnlock } from './space/vmaLock.ts';
export { gatherFinish, gatherStart } from './tables/gather.ts';
export { walkBegin, walkEnd, zapEligible } from './word/hooks.ts';
export { mmTables, pmdLock, pmdOf, pmdUnlock } from './tables/offsets.ts';
export {
  pteLockOf,
  pteOffsetMap,
  pteOffsetMapLock,
  pteUnmap,
  pteUnmapUnlock,
} from './tables/pteMap.ts';
export { pmdFind } from './tables/walk.ts';
export { stallReader, walkLockless } from './tables/walkers.ts';
export { uffdApi, uffdClose, uffdRegister, uffdUnregister } from './uffd/uffd.ts';
export { uffdCopy, uffdDone, uffdZeropage } from './uffd/uffdFill.ts';
export { uffdMonitor, uffdServe } from './uffd/uffdMonitor.ts';
export { uffdMove } from './uffd/uffdMove.ts';
export { uffdWriteprotect } from './uffd/uffdWp.ts';
export { mmDestroy, mmPut } from './vma/exitMm.ts';
export { doMprotect } from './vma/mprotect.ts';
export { doMunmap } from './vma/munmap.ts';
export { uffdPending, uffdRead, uffdWake } from './watch/uffdFault.ts';
export { cpuArea } from './word/layoutCpu.ts';
export { cpuId, setThisCpu } from './word/percpu.ts';
export { load, notify } from './word/word.ts';
export { PLUGGED_LOCK_HOOKS } from './lock/kindHooks.ts';
export { PLUGGED_PROTOCOL_HOOKS } from './word/hooks.ts';
