/** The walk-through of a protocol in CONTRIBUTING.md is the protocol itself: the file that the kernel is built from, whole. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PROTOCOL_LIST } from '../../src/machine/protocols.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const GUIDE = read('CONTRIBUTING.md');
const SOURCE = read('src/kernel/protocols/mmapWrite.ts');

it('shows the file as it is, and the file has less than 100 lines', () => {
  const [, shown] = /```ts\n(.*?)```/s.exec(GUIDE) ?? [];
  expect(shown).toBe(SOURCE);
  expect(SOURCE.split('\n').length).toBeLessThan(100);
});

it('shows its call among the hooks', () => {
  const [, call] = /`(else if \(protocol === PROTOCOL_MMAP_WRITE\)[^`]*)`/.exec(GUIDE) ?? [];
  expect(call).toBeDefined();
  expect(read('src/kernel/tables/hooks.ts')).toContain(call);
});

it('names places that there are', () => {
  expect(read('src/kernel/word/config.ts')).toContain('PROTOCOL_MMAP_WRITE');
  expect(PROTOCOL_LIST['mmap-write'].summary).not.toBe('');
});
