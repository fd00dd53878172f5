import * as abi from '../kernel/abi.ts';

/** No such process: what an operation of a process that is not there gives; the kernel has no processes. */
export const ESRCH = 3;

/** Linux error numbers that the machine answers with, by name. SIGBUS is not an errno: a fault beyond a file's end. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries({ ...abi, ESRCH })
    .filter(([name, value]) => /^(?:E[A-Z]+|SIGBUS)$/.test(name) && typeof value === 'number')
    .map(([name, value]) => [value as number, name]),
);

/** The name of a positive Linux error number, such as `ENOMEM`; null for 0; `E<number>` for one without a name here. */
export function errnoName(errno: number): string | null {
  return errno === 0 ? null : (NAMES.get(errno) ?? `E${errno}`);
}
