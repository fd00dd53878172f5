/** Mutants of userfaultfd: of UFFDIO_MOVE, of how a fault waits for its monitor, and of write protection. */

import type { Mutant } from './mutant.ts';

export const USERFAULT_MUTANTS: readonly Mutant[] = [
  {
    name: 'move-without-pmd-check',
    summary:
      'UFFDIO_MOVE looks at both entries again under the locks, not at the PMD of the destination',
    race: 4,
    why: 'the entry of the destination is none, so it cannot show that its table was reclaimed meanwhile',
    patch: {
      module: 'uffdMoveEntries',
      find: 'load(src) !== entry || load(dst) !== 0 || load(dstPmd) !== dstPmdValue',
      replace: 'load(src) !== entry || load(dst) !== 0',
    },
    scenarios: ['uffdMoveZap'],
    controls: ['uffdMoveMove'],
    findings: ['lost-entry', 'nonempty-table-freed', 'accounting'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'move-locks-by-role',
    summary: "UFFDIO_MOVE takes the destination's PTE lock first, whichever address is lower",
    why: 'two moves in opposite directions take the same locks in opposite order',
    patch: {
      module: 'uffdMoveEntries',
      find: 'else if (tableOfEntry(a) < tableOfEntry(b))',
      replace: 'else if (true)',
    },
    scenarios: ['uffdMoveMove'],
    constants: { CHECK: 1 },
    findings: ['deadlock'],
    quick: { strategy: 'pct', executions: 400 },
    stress: { mix: 'uffd', machine: { check: 'fast' } },
  },
  {
    name: 'move-of-pinned-pages',
    summary: 'UFFDIO_MOVE does not look at the references of the page whose entry it has cleared',
    why: 'GUP-fast may have pinned it through that entry, and then its user and the program no longer mean the same place',
    patch: {
      module: 'uffdMoveEntries',
      find: 'if (maybePinned(page))',
      replace: 'if (false)',
    },
    scenarios: ['uffdMovePin'],
    findings: ['expectation'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'userfault-without-second-look',
    summary: 'a fault waits for its monitor without looking at the tables once it is in the queue',
    why: 'the monitor may have brought the page, and have found nobody to wake, before',
    patch: {
      module: 'uffdFault',
      find: 'if (mustWait(mm, vpn, reason))',
      replace: 'if (true)',
    },
    scenarios: ['uffdMissing'],
    controls: ['uffdMoveMove'],
    findings: ['unmet', 'deadlock'],
    quick: { strategy: 'dpor', executions: 400 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'unregister-wakes-first',
    summary: 'UFFDIO_UNREGISTER wakes those who wait before it has write-locked the VMA',
    why: 'a fault on the lock of the VMA has seen it watched, and joins the queue when the wake-up is over',
    patch: {
      module: 'uffd',
      find: `vmaStartWrite(vma);
            if ((old & VM_UFFD_WP) !== 0)
                uffdWpRange(mm, vma, from, to, false);
            const wanted = (old & ~VM_UFFD_FLAGS) >>> 0;
            const changed = vmaModifyFlags(vma, from, to, wanted);
            if (changed === 0)
                return ENOMEM;
            store(changed + VMA_FLAGS, wanted);
            uffdWake(mm, from, to - from);`,
      replace: `uffdWake(mm, from, to - from);
            vmaStartWrite(vma);
            if ((old & VM_UFFD_WP) !== 0)
                uffdWpRange(mm, vma, from, to, false);
            const wanted = (old & ~VM_UFFD_FLAGS) >>> 0;
            const changed = vmaModifyFlags(vma, from, to, wanted);
            if (changed === 0)
                return ENOMEM;
            store(changed + VMA_FLAGS, wanted);`,
    },
    scenarios: ['uffdUnregister'],
    findings: ['unmet', 'deadlock'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'protect-without-flush',
    summary: 'UFFDIO_WRITEPROTECT does not flush what it takes the right to write from',
    why: 'a CPU goes on writing through its TLB, and the monitor never hears of it',
    patch: {
      module: 'uffdWp',
      find: 'if (changePresent(pte, flags, protect)) gatherNoteRange(gather, vpn, vpn + 1);',
      replace: 'changePresent(pte, flags, protect);',
    },
    scenarios: ['uffdProtectWrite'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 50 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'marker-makes-no-difference',
    summary: 'a zap that leaves a marker behind still counts its table as emptied',
    why: 'a marker is an entry: the table would be freed with it, and the protection be lost',
    patch: {
      module: 'zap',
      find: '&& uffdInstallMarker(at, entry)) outcome = outcome | ENTRY_LEFT;',
      replace: '&& uffdInstallMarker(at, entry)) outcome = outcome | 0;',
    },
    scenarios: ['uffdMarkerZap'],
    findings: ['nonempty-table-freed', 'expectation', 'accounting'],
    quick: { strategy: 'random', executions: 400 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'monitor-wakes-at-markers',
    summary:
      'a monitor whose UFFDIO_ZEROPAGE meets a marker (EEXIST) takes the page for brought, and wakes',
    why: 'to the fault a marker is as good as none: it faults again, and the monitor does the same again',
    patch: {
      module: 'uffdMonitor',
      find: 'if (error === EEXIST) error = uffdCopy(mm, vpn, 1, 0);',
      replace: 'if ((vpn & 3) !== 3) error = uffdCopy(mm, vpn, 1, 0);',
    },
    scenarios: ['uffdMonitored'],
    findings: ['endless', 'no-progress'],
    quick: { strategy: 'random', executions: 100 },
    stress: { mix: 'uffd' },
  },
  {
    name: 'move-installs-both-first',
    summary: 'UFFDIO_MOVE installs the tables of both sides before it visits either',
    why: 'a walk keeps the count of one installed table: the second drops that of the first, which nobody visits and which goes; and again, until no table is left',
    patch: {
      module: 'uffdMove',
      find: 'const src = pteOffsetMapRwNolock(srcPmd, srcVpn);',
      replace: `if (pteAlloc(mm, dstPmd, dstVpn) === 0) return failed(ENOMEM);
        const src = pteOffsetMapRwNolock(srcPmd, srcVpn);`,
    },
    scenarios: ['uffdMoveHole'],
    findings: ['expectation', 'endless'],
    quick: { strategy: 'dpor', executions: 100 },
    stress: { mix: 'uffd', machine: { protocol: 'pte-refcount' } },
  },
  {
    name: 'huge-move-over-a-pin',
    summary: 'UFFDIO_MOVE of a huge PMD does not look whether the folio is pinned',
    why: 'whoever pinned a page of it would go on with a page that the program sees elsewhere',
    patch: {
      module: 'uffdMoveHuge',
      find: 'const pinned = maybePinned(head);',
      replace: 'const pinned = false;',
    },
    scenarios: ['uffdMoveHuge'],
    findings: ['expectation'],
    quick: { strategy: 'dpor', executions: 50 },
    stress: { mix: 'uffd', machine: { thp: 'always' } },
  },
  {
    name: 'hole-seen-unlocked',
    summary:
      'UFFDIO_MOVE takes an entry for a hole that it has seen to be none without the PTE lock',
    why: 'the end of a migration clears the entry for a moment: the page is there, and stays behind',
    patch: {
      module: 'uffdMoveEntries',
      find: 'const entry = settledEntry(src);',
      replace: 'const entry = load(src);',
    },
    scenarios: ['uffdMoveLarge'],
    findings: ['expectation'],
    quick: { strategy: 'pct', executions: 1000 },
    stress: { mix: 'uffd', machine: { mthp: 'always' } },
  },
  {
    name: 'split-waits-with-reference',
    summary:
      'UFFDIO_MOVE takes a reference on a large folio before it has its lock, and waits with it',
    why: 'the split by whoever has the lock fails for the reference',
    patch: {
      module: 'uffdMoveEntries',
      find: `if (!folioTrylock(head)) return faultWaits(page);
        folioGet(head);`,
      replace: `folioGet(head);
        if (!folioTrylock(head)) return faultWaits(page);`,
    },
    scenarios: ['uffdMoveLarge'],
    findings: ['endless', 'no-progress', 'expectation'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: { mix: 'uffd', machine: { mthp: 'always' } },
  },
  {
    name: 'protect-looks-for-huge-once',
    summary: 'UFFDIO_WRITEPROTECT looks for a huge page before it allocates a table, not again',
    why: 'a huge page that comes in between leaves no table to lock, however often it asks for one',
    patch: {
      module: 'uffdWp',
      find: `while (allocated && pte === 0) {
            splitIfHuge(mm, pmd, start);`,
      replace: `splitIfHuge(mm, pmd, start);
        while (allocated && pte === 0) {`,
    },
    scenarios: ['uffdProtectHuge'],
    findings: ['endless'],
    quick: { strategy: 'dpor', executions: 1000 },
    stress: { mix: 'uffd', machine: { thp: 'always' } },
  },
];
