/**
 * The walk-through of a protocol in CONTRIBUTING.md is one that can be read at one sitting; that it shows the file as
 * it is, documents.test.ts sees to.
 */
import { expect, it } from 'vitest';
import { readTree, sourceCalled } from '../../bench/documents/tree.ts';

it('shows a file of less than 100 lines', () => {
  expect(readTree('CONTRIBUTING.md')).toContain('<!-- made by: source mmapWrite.ts -->');
  expect(readTree(sourceCalled('mmapWrite.ts')).split('\n').length).toBeLessThan(100);
});
