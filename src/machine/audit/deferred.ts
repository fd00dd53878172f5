/**
 * The deferred-split queue: a list of folios that are in use, each once, and nobody is in the middle of splitting one.
 */
import * as deferred from '../../kernel/abi.ts';
import * as frame from '../../kernel/abi.ts';
import * as layout from '../../kernel/abi.ts';
import type { Ledger } from './ledger.ts';

/** Follows the queue, and returns the first frames of the folios on it. */
export function auditDeferredQueue(ledger: Ledger): Set<number> {
  const queued = new Set<number>();
  let previous = 0;
  for (let head = ledger.at(layout.G_DEFERRED_HEAD); head !== 0;) {
    const folio = ledger.folio(head);
    if (head >= ledger.mapCounts.length || queued.has(head)) {
      ledger.find(
        'accounting',
        layout.G_DEFERRED_HEAD,
        `deferred-split queue: frame ${head} does not exist or is on it twice`,
      );
      break;
    }
    queued.add(head);
    if ((ledger.at(folio + layout.F_GEN) & 1) === 0)
      ledger.find('frame-use-after-free', folio, `deferred-split queue: folio ${head} is free`);
    if (ledger.at(folio + layout.F_HEAD) !== head)
      ledger.find('accounting', folio, `deferred-split queue: frame ${head} is no folio's first`);
    ledger.equal(
      folio + layout.LARGE_DEFERRED_PREV,
      `deferred-split queue: the folio before ${head}`,
      ledger.at(folio + layout.LARGE_DEFERRED_PREV),
      previous,
    );
    previous = head;
    head = ledger.at(folio + layout.LARGE_DEFERRED_NEXT);
  }
  const { G_DEFERRED_TAIL: tail, G_DEFERRED_LENGTH: length } = layout;
  ledger.equal(tail, 'deferred-split queue: its last folio', ledger.at(tail), previous);
  ledger.equal(length, 'deferred-split queue: its length', ledger.at(length), queued.size);
  return queued;
}

/** Whether a folio of several frames that is in use says of itself what the queue says. */
export function auditDeferredState(ledger: Ledger, head: number, queued: boolean): void {
  const folio = ledger.folio(head);
  ledger.equal(
    folio + layout.LARGE_DEFERRED,
    `folio ${head}: its state for the deferred-split queue`,
    ledger.at(folio + layout.LARGE_DEFERRED),
    queued ? deferred.QUEUED : deferred.NOT_QUEUED,
  );
  if (((ledger.at(folio + layout.F_FLAGS) & frame.F_PARTIALLY_MAPPED) !== 0) !== queued)
    ledger.find(
      'accounting',
      folio,
      `folio ${head} is ${queued ? '' : 'not '}on the deferred-split queue, and its flags say otherwise`,
    );
}
