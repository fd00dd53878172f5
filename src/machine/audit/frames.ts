/** Data frames: each is on one free list or in use, and its counts are those of the entries that map it. */
import { ENTIRELY_MAPPED, FRAME_ORDER_MAX } from '../../kernel/abi.ts';
import * as frame from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import { auditDeferredQueue, auditDeferredState } from './deferred.ts';
import { hex, type Ledger } from './ledger.ts';

/**
 * Follows the free lists, then looks at every frame that is on none. Preconditions: entries and page cache are counted.
 */
export function auditFrames(ledger: Ledger): void {
  const bump = ledger.at(layout.G_FRAME_BUMP);
  const limit = ledger.mapCounts.length;
  const free = new Uint8Array(limit);
  const claim = (number: number, order: number, where: string): boolean => {
    for (let at = number; at < number + 2 ** order; at++) {
      if (at <= frame.ZERO_FRAME || at >= bump || free[at] !== 0) {
        ledger.find(
          'accounting',
          ledger.folio(at),
          `${where}: frame ${at} was never handed out, or is free twice`,
        );
        return false;
      }
      free[at] = 1;
      if ((ledger.at(ledger.folio(at) + layout.F_GEN) & 1) !== 0)
        ledger.find('frame-use-after-free', ledger.folio(at), `${where}: frame ${at} is in use`);
    }
    return true;
  };
  for (let order = 0; order <= FRAME_ORDER_MAX; order++) {
    const area = layout.G_FRAME_AREAS + order * 8;
    let blocks = 0;
    let previous = 0;
    for (let number = ledger.at(area); number !== 0; blocks++) {
      if (!claim(number, order, `free frames of order ${order}`)) break;
      const folio = ledger.folio(number);
      ledger.equal(
        folio + layout.F_FLAGS,
        `free block ${number}: its flags`,
        ledger.at(folio + layout.F_FLAGS),
        frame.F_BUDDY | order,
      );
      ledger.equal(
        folio + layout.F_OWNER,
        `free block ${number}: the one before`,
        ledger.at(folio + layout.F_OWNER),
        previous,
      );
      previous = number;
      number = ledger.at(folio + layout.F_NEXT);
    }
    ledger.equal(area + 4, `free blocks of order ${order}`, ledger.at(area + 4), blocks);
  }
  for (let cpu = 0; cpu < ledger.at(layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    let length = 0;
    for (
      let number = ledger.at(area + layout.C_PCP_HEAD), left = ledger.at(area + layout.C_PCP_COUNT);
      left > 0;
      left--
    ) {
      if (!claim(number, 0, `free frames of CPU ${cpu}`)) break;
      length++;
      number = ledger.at(ledger.folio(number) + layout.F_NEXT);
    }
    ledger.equal(
      area + layout.C_PCP_COUNT,
      `CPU ${cpu}: free frames`,
      ledger.at(area + layout.C_PCP_COUNT),
      length,
    );
  }
  auditUsedFrames(ledger, free, Math.min(bump, limit), auditDeferredQueue(ledger));
}

/**
 * The folio of `pages` frames from `head` on: what it is made of, and its map counts. Returns the entries that map it.
 */
function auditFolio(ledger: Ledger, head: number, pages: number): number {
  let ptes = 0;
  let mapped = 0;
  const huge = pages === 1 ? 0 : (ledger.hugeMaps.get(head) ?? 0);
  for (let number = head; number < head + pages; number++) {
    const folio = ledger.folio(number);
    const maps = ledger.mapCounts[number]!;
    ptes += maps;
    // While huge PMDs map the folio, the first frame speaks for those that no PTE maps.
    const all = maps > 0 || number === head ? maps + huge : 0;
    if (all > 1 && (ledger.at(folio + layout.F_FLAGS) & frame.F_EXCLUSIVE) !== 0)
      ledger.find('accounting', folio, `frame ${number} is exclusive and mapped ${all} times`);
    if (maps > 0) mapped++;
    ledger.equal(
      folio + layout.F_MAP,
      `frame ${number}: map count`,
      ledger.at(folio + layout.F_MAP),
      maps,
    );
    ledger.equal(
      folio + layout.F_HEAD,
      `frame ${number}: first frame of its folio`,
      ledger.at(folio + layout.F_HEAD),
      pages === 1 ? 0 : head,
    );
    if (number === head) continue;
    ledger.equal(
      folio + layout.F_REF,
      `frame ${number}, not the first of its folio: references`,
      ledger.at(folio + layout.F_REF),
      0,
    );
    if ((ledger.at(folio + layout.F_FLAGS) & frame.F_TAIL) === 0)
      ledger.find('accounting', folio, `frame ${number} of folio ${head} is not marked as a tail`);
  }
  if (pages === 1) return ptes;
  const folio = ledger.folio(head);
  const counts: [number, string, number][] = [
    [layout.LARGE_MAPCOUNT, 'entries that map it', ptes + huge],
    [layout.LARGE_ENTIRE_MAPCOUNT, 'huge PMDs that map it', huge],
    [layout.LARGE_PAGES_MAPPED, 'pages mapped', mapped + (huge > 0 ? ENTIRELY_MAPPED : 0)],
  ];
  for (const [word, what, expected] of counts)
    ledger.equal(folio + word, `folio ${head}: ${what}`, ledger.at(folio + word), expected);
  return ptes + huge;
}

/** Frames up to `bump`: those not `free` are in use and balance, free ones are not mapped. */
function auditUsedFrames(
  ledger: Ledger,
  free: Uint8Array,
  bump: number,
  queued: ReadonlySet<number>,
): void {
  const first = 2 ** FRAME_ORDER_MAX;
  for (let number = first; number < bump;) {
    const folio = ledger.folio(number);
    const maps = ledger.mapCounts[number]!;
    if (free[number] !== 0) {
      if (maps > 0)
        ledger.find(
          'frame-use-after-free',
          folio,
          `frame ${number} is free and mapped ${maps} times`,
        );
      if (ledger.at(folio + layout.F_REF) !== 0)
        ledger.find(
          'accounting',
          folio,
          `frame ${number} is free and has ${ledger.at(folio + layout.F_REF)} references`,
        );
      number++;
      continue;
    }
    const flags = ledger.at(folio + layout.F_FLAGS);
    if ((ledger.at(folio + layout.F_GEN) & 1) === 0) {
      ledger.find('accounting', folio, `frame ${number} is neither free nor in use`);
      number++;
      continue;
    }
    const cached = ledger.cached.has(number);
    if (((flags & frame.F_CACHED) !== 0) !== cached)
      ledger.find(
        'accounting',
        folio,
        `frame ${number} is ${cached ? '' : 'not '}in the page cache, its flags are ${hex(flags)}`,
      );
    if ((flags & (frame.F_LOCKED | frame.F_WAITERS)) !== 0)
      ledger.find('lock-order', folio, `frame ${number} is locked: its flags are ${hex(flags)}`);
    if ((flags & frame.F_EXCLUSIVE) !== 0 && maps > 1)
      ledger.find('accounting', folio, `frame ${number} is exclusive and mapped ${maps} times`);
    if ((flags & (frame.F_LOCKED | frame.F_WAITERS)) !== 0)
      ledger.find('lock-order', folio, `frame ${number} is locked: its flags are ${hex(flags)}`);
    const pages = 2 ** (flags & frame.F_ORDER);
    const mappings = auditFolio(ledger, number, pages);
    ledger.equal(
      folio + layout.F_REF,
      `frame ${number}: references`,
      ledger.at(folio + layout.F_REF),
      mappings + (cached ? 1 : 0),
    );
    if (pages > 2) auditDeferredState(ledger, number, queued.has(number));
    number += pages;
  }
}
