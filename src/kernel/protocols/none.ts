/**
 * Reclaim protocol `none`: empty tables stay where they are until munmap or exit takes all that they map, as in Linux
 * before 6.14.
 *
 * Guarantee: whoever holds mmap_lock or the VMA's lock finds every table that it has found before. It exports no hook.
 */

export const about = {
  name: 'none',
  summary: 'empty tables stay until munmap or exit, as in Linux before 6.14',
  frees: 'nothing',
  isBase: true,
  demo: true,
};
