/** The walk-through of a protocol in CONTRIBUTING.md names what there is; that it shows the file as it is, documents.test.ts sees to. */
import { expect, it } from 'vitest';
import { readTree, sourceCalled } from '../../bench/documents/tree.ts';
import { PROTOCOL_LIST } from '../../src/machine/protocols.ts';

const source = (name: string): string => readTree(sourceCalled(name));

it('shows a file of less than 100 lines', () => {
  expect(readTree('CONTRIBUTING.md')).toContain('<!-- made by: source mmapWriteReclaim.ts -->');
  expect(source('mmapWriteReclaim.ts').split('\n').length).toBeLessThan(100);
});

it('shows its call among the hooks', () => {
  const [, call] =
    /`(else if \(protocol === PROTOCOL_MMAP_WRITE\)[^`]*)`/.exec(readTree('CONTRIBUTING.md')) ?? [];
  expect(call).toBeDefined();
  expect(source('protocol.ts')).toContain(call);
});

it('names places that there are', () => {
  expect(source('config.ts')).toContain('PROTOCOL_MMAP_WRITE');
  expect(PROTOCOL_LIST['mmap-write'].summary).not.toBe('');
});
