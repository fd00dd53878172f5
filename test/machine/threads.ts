import { readdirSync, existsSync } from 'node:fs';

/** Threads of this process; 0 where the system does not say. */
export function workerThreads(): number {
  return existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0;
}
