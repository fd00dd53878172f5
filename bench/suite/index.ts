import type { Suite } from '../measurement.ts';
import { folio } from './folio.ts';
import { growth } from './growth.ts';
import { kernel } from './kernel.ts';
import { lock } from './lock.ts';
import { protocols } from './protocols.ts';
import { rcu } from './rcu.ts';
import { reclaimer } from './reclaimer.ts';
import { walk } from './walk.ts';

/** Every suite, in the order in which they run. */
export const suites: readonly Suite[] = [
  walk,
  lock,
  rcu,
  kernel,
  reclaimer,
  protocols,
  growth,
  folio,
];
