import type { Suite } from '../measurement.ts';
import { kernel } from './kernel.ts';
import { lock } from './lock.ts';
import { rcu } from './rcu.ts';
import { walk } from './walk.ts';

/** Every suite, in the order in which they run. */
export const suites: readonly Suite[] = [walk, lock, rcu, kernel];
