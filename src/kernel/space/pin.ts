/**
 * Pins: references that GUP takes for somebody who goes on using the page behind the program's back, so that the page
 * must stay the one that the program sees.
 *
 * Guarantee: a pin counts PIN_BIAS references, any other reference one; so a folio with fewer than PIN_BIAS references
 * is not pinned, and one that has more counts as pinned (wrongly, if very many entries map it: then it is copied where
 * it need not be). Only pages of inodes and anonymous pages that one entry has for itself (F_EXCLUSIVE) are pinned.
 * Whoever wants to share or take away such a page changes its entry first, then looks for pins; GUP-fast pins first,
 * then looks at the entry again.
 *
 * Source: Linux Documentation/core-api/pin_user_pages.rst, mm/gup.c (try_grab_folio_fast), include/linux/mm.h
 * (folio_maybe_dma_pinned).
 */

import { folioHead, folioOf } from '../alloc/folio.ts';
import { folioPut } from '../alloc/frame.ts';
import { F_REF } from '../word/layout.ts';
import { add, load, sub } from '../word/word.ts';

/** References that a pin counts (GUP_PIN_COUNTING_BIAS). */
export const PIN_BIAS: u32 = 1024;

/** Makes the caller's reference on `frame` a pin. */
export function pinFolio(frame: Frame): void {
  add(folioOf(folioHead(frame)) + F_REF, PIN_BIAS - 1);
}

/** Gives a pin up. */
export function unpinFolio(frame: Frame): void {
  sub(folioOf(folioHead(frame)) + F_REF, PIN_BIAS - 1);
  folioPut(frame);
}

/** Whether the folio of `frame` may be pinned. */
export function maybePinned(frame: Frame): boolean {
  return load(folioOf(folioHead(frame)) + F_REF) >= PIN_BIAS;
}
