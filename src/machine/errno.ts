/** Linux error numbers that the machine answers with, by name. SIGBUS is not an errno: a fault beyond a file's end. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [2, 'ENOENT'],
  [3, 'ESRCH'],
  [4, 'EINTR'],
  [7, 'SIGBUS'],
  [11, 'EAGAIN'],
  [12, 'ENOMEM'],
  [14, 'EFAULT'],
  [16, 'EBUSY'],
  [17, 'EEXIST'],
  [22, 'EINVAL'],
]);

/** The name of a positive Linux error number, such as `ENOMEM`; null for 0; `E<number>` for one without a name here. */
export function errnoName(errno: number): string | null {
  return errno === 0 ? null : (NAMES.get(errno) ?? `E${errno}`);
}
