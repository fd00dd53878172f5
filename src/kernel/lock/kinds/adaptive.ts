/**
 * Lock kind `adaptive`, the base: spin, then park (lock/adaptiveLock.ts). It exports no hook: the hooks' file does what
 * it does, and locks that are none of a page table's are of this kind in every run.
 */

export const about = {
  name: 'adaptive',
  summary: 'looks for a while, then parks; whoever runs may overtake',
  isBase: true,
  isDefault: true,
  owner: 'word',
  held: 'word',
};
