import { EFAULT, EINVAL, ENOMEM, PAGE_BYTES as K } from '../../src/kernel/abi.ts';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/machine/kernel.ts';
import { SystemCalls } from '../../src/machine/syscalls.ts';

const T = 2 ** 44 - K;
const MM = 77;

const MARKS = [
  'beginOperation',
  'endOperation',
  'condResched',
  'eventsRecorded',
  'operationArguments',
];

/** A kernel that gives `answer` and notes what it was asked, but for marks and quiescent states. */
function recorder(answer = 0): { calls: SystemCalls; asked: [string, ...number[]][] } {
  const asked: [string, ...number[]][] = [];
  const kernel = new Proxy({} as Kernel, {
    get:
      (_, name) =>
      (...args: number[]) => {
        if (!MARKS.includes(String(name))) asked.push([String(name), ...args]);
        return answer;
      },
  });
  return { calls: new SystemCalls(kernel), asked };
}

describe('system calls, arguments in bytes', () => {
  it.each<[string, (calls: SystemCalls) => number, number]>([
    ['mmap of nothing', (c) => c.mmap(MM, 0, 0, 3, 0), EINVAL],
    ['mmap of more than there is', (c) => c.mmap(MM, 0, 2 ** 45, 3, 0), ENOMEM],
    ['mmap whose length wraps, unaligned', (c) => c.mmap(MM, 100, 2 ** 64, 3, 0), ENOMEM],
    ['mmap past the end', (c) => c.mmap(MM, T, K, 3, 0), ENOMEM],
    ['mmap past the end comes before unaligned', (c) => c.mmap(MM, T + 5, K, 3, 0), ENOMEM],
    ['mmap unaligned', (c) => c.mmap(MM, 5, K, 3, 0), EINVAL],
    ['munmap unaligned', (c) => c.munmap(MM, 5, K), EINVAL],
    ['munmap of nothing', (c) => c.munmap(MM, 0, 0), EINVAL],
    ['munmap of the last page, which nothing is mapped at', (c) => c.munmap(MM, T, K), 0],
    ['munmap past the end', (c) => c.munmap(MM, T, 2 * K), EINVAL],
    ['madvise unaligned, even of nothing', (c) => c.madvise(MM, 5, 0, 4), EINVAL],
    ['madvise whose length wraps', (c) => c.madvise(MM, 0, 2 ** 64, 4), EINVAL],
    ['madvise past the end: a hole', (c) => c.madvise(MM, T - K, 2 * K, 4), ENOMEM],
    ['mprotect unaligned', (c) => c.mprotect(MM, 5, 0, 3), EINVAL],
    ['mprotect of nothing', (c) => c.mprotect(MM, 0, 0, 3), 0],
    ['mprotect past the end', (c) => c.mprotect(MM, T - K, 2 * K, 3), ENOMEM],
    ['mremap unaligned', (c) => c.mremap(MM, 5, K, 2 * K, K, 0), EINVAL],
    ['mremap to nothing', (c) => c.mremap(MM, 0, K, 2 * K, 0, 0), EINVAL],
    ['mremap to an unaligned place', (c) => c.mremap(MM, 0, K, 5 * K + 1, K, 0), EINVAL],
    ['mremap onto itself', (c) => c.mremap(MM, 0, 4 * K, 2 * K, 4 * K, 0), EINVAL],
    ['mremap of more than there is', (c) => c.mremap(MM, T, 4 * K, K, K, 0), EFAULT],
    ['access past the end', (c) => c.access(MM, T, true), EFAULT],
    ['touch of nothing', (c) => c.touch(MM, 5, 0, true), 0],
  ])('%s', (_, call, errno) => {
    expect(call(recorder().calls)).toBe(errno);
  });

  it('rounds lengths up to pages', () => {
    const { calls, asked } = recorder();
    calls.mmap(MM, 8 * K, 1, 3, 1, 9, 4);
    calls.munmap(MM, 8 * K, K + 1);
    calls.madvise(MM, 0, 3 * K, 21);
    calls.mprotect(MM, K, 5, 1);
    calls.mremap(MM, K, 5, 8 * K, 2 * K, 0);
    calls.brk(MM, 5);
    expect(asked).toEqual([
      ['doMmap', MM, 8, 1, 3, 1, 9, 4],
      ['doMunmap', MM, 8, 2],
      ['doMadvise', MM, 0, 3, 21],
      ['doMprotect', MM, 1, 1, 1],
      ['doMremap', MM, 1, 1, 8, 2, 3],
      ['doBrk', MM, 1],
    ]);
  });

  it('touches every stride from the address on', () => {
    const { calls, asked } = recorder();
    expect(calls.touch(MM, 100, 3 * K, true, 2 * K)).toBe(0);
    expect(asked).toEqual([
      ['access', MM, 0, 1],
      ['access', MM, 2, 1],
    ]);
  });

  it('gives EFAULT for an access beyond the end of a file', () => {
    expect(recorder(7).calls.touch(MM, 0, K, false)).toBe(EFAULT);
  });

  it('maps a page for a fault where nothing is mapped', () => {
    const { calls, asked } = recorder(EFAULT);
    calls.fault(MM, 5 * K + 7, true);
    expect(asked.map(([name]) => name)).toEqual(['access', 'mapImplicit']);
  });
});
