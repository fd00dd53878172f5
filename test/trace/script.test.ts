import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import * as op from '../../src/trace/operation.ts';
import type { Operation } from '../../src/trace/operation.ts';
import { formatScriptLine, parseScript, scriptNumber } from '../../src/trace/script.ts';
import { TraceError } from '../../src/trace/traceError.ts';

function parseOne(line: string): Operation {
  const list = parseScript(line, 'one.mm');
  expect(list.count).toBe(1);
  return op.readOperation(list.operations, 0);
}

function failure(text: string): TraceError {
  try {
    parseScript(text, 'bad.mm');
  } catch (error) {
    if (error instanceof TraceError) return error;
    throw error;
  }
  throw new Error('the script was accepted');
}

const none = { cpu: 0, arg2: 0, arg3: 0, arg4: 0, timeS: 0, process: 0 };

describe('calls', () => {
  const range = { ...none, address: 2 ** 30, length: 2 ** 21 };
  test.each<[string, Operation]>([
    ['mmap 1G 2M', { ...range, call: op.CALL_MMAP, arg2: 3 }],
    ['mmap 1G 2M r', { ...range, call: op.CALL_MMAP, arg2: 1 }],
    ['mmap 1G 2M none', { ...range, call: op.CALL_MMAP }],
    ['mmap 1G 2M populate', { ...range, call: op.CALL_MMAP, arg2: 3, arg3: op.MAP_POPULATE }],
    ['mmap 1G 2M rw shared populate', { ...range, call: op.CALL_MMAP, arg2: 3, arg3: 3 }],
    ['munmap 0x40000000 2048K', { ...range, call: op.CALL_MUNMAP }],
    ['touch 1G 2M', { ...range, call: op.CALL_TOUCH, arg2: 1, arg3: 4096 }],
    ['touch 1G 2M r', { ...range, call: op.CALL_TOUCH, arg3: 4096 }],
    ['touch 1G 2M w 64K', { ...range, call: op.CALL_TOUCH, arg2: 1, arg3: 65536 }],
    ['touch 1G 2M 0x10K', { ...range, call: op.CALL_TOUCH, arg2: 1, arg3: 16384 }],
    ['madvise 1G 2M dontneed', { ...range, call: op.CALL_MADVISE, arg2: 4 }],
    ['madvise 1G 2M hugepage', { ...range, call: op.CALL_MADVISE, arg2: 14 }],
    ['madvise 1G 2M nohugepage', { ...range, call: op.CALL_MADVISE, arg2: 15 }],
    ['madvise 1G 2M collapse', { ...range, call: op.CALL_MADVISE, arg2: 25 }],
    ['mremap 1G 2M 3G', { ...range, call: op.CALL_MREMAP, arg2: 3 * 2 ** 30, arg3: 2 ** 21 }],
    ['mremap 1G 2M 3G 4M', { ...range, call: op.CALL_MREMAP, arg2: 3 * 2 ** 30, arg3: 2 ** 22 }],
    ['mprotect 1G 2M none', { ...range, call: op.CALL_MPROTECT }],
    ['mprotect 1G 2M rw', { ...range, call: op.CALL_MPROTECT, arg2: 3 }],
    ['3: munmap 1G 2M', { ...range, call: op.CALL_MUNMAP, cpu: 3 }],
    ['3:munmap 1G 2M # gone', { ...range, call: op.CALL_MUNMAP, cpu: 3 }],
    ['\tmunmap  1G\t2M \r', { ...range, call: op.CALL_MUNMAP }],
    ['fork', { ...none, address: 0, length: 0, call: op.CALL_FORK, arg2: 1 }],
    ['2: @0 fork', { ...none, address: 0, length: 0, call: op.CALL_FORK, arg2: 1, cpu: 2 }],
    ['exit', { ...none, address: 0, length: 0, call: op.CALL_EXIT }],
    ['barrier', { ...none, address: 0, length: 0, call: op.CALL_BARRIER }],
    ['munmap 16T 4096T', { ...none, address: 2 ** 44, length: 2 ** 52, call: op.CALL_MUNMAP }],
    ['munmap 1 3', { ...none, address: 1, length: 3, call: op.CALL_MUNMAP }],
  ])('%s', (line, expected) => {
    expect(parseOne(line)).toEqual(expected);
  });

  test('comments and empty lines hold no operation; cpus is one more than the highest', () => {
    const list = parseScript('# head\n\n  \nmmap 0 4K\n7: touch 0 4K\nbarrier\n', 'a.mm');
    expect(list.count).toBe(3);
    expect(list.cpus).toBe(8);
  });
});

describe('processes', () => {
  test('are numbered in the order of the forks, whoever forks', () => {
    const text = 'fork\n@1 fork\n@2 touch 0 4K\nfork\n@1 exit\n@3 munmap 0 4K\n';
    const list = parseScript(text, 'forks.mm');
    expect(list.processes).toBe(4);
    const records = Array.from({ length: list.count }, (_, at) =>
      op.readOperation(list.operations, at),
    );
    expect(records.map(({ process }) => process)).toEqual([0, 1, 2, 0, 1, 3]);
    expect(records.filter(({ call }) => call === op.CALL_FORK).map(({ arg2 }) => arg2)).toEqual([
      1, 2, 3,
    ]);
    expect(records.map(formatScriptLine).join('\n')).toBe(
      'fork\n@1 fork\n@2 touch 0 4K w 4K\nfork\n@1 exit\n@3 munmap 0 4K',
    );
  });

  test('are at most 64', () => {
    expect(parseScript('fork\n'.repeat(63), 'many.mm').processes).toBe(64);
    expect(failure('fork\n'.repeat(64)).problem).toBe('the fork is one too many');
  });
});

describe('numbers', () => {
  test.each([
    ['0', 0],
    ['12', 12],
    ['0x1f', 31],
    ['0X1F', 31],
    ['4K', 4096],
    ['0x2M', 2 ** 21],
    ['3T', 3 * 2 ** 40],
  ])('%s', (word, value) => expect(scriptNumber(word)).toBe(value));

  test.each(['', 'K', '0x', '-1', '1.5K', '4k', '4KK', '1e3', '0b1', 'x10', '1_000'])(
    '%j is none',
    (word) => expect(scriptNumber(word)).toBeNull(),
  );
});

describe('errors name file and line, what was found, what is allowed', () => {
  test.each([
    ['mmap 0 4K\nmap 0 4K', 2, 'operation "map" is unknown', 'mmap, munmap, touch'],
    ['mmap', 1, 'ADDR is missing', 'mmap ADDR LEN'],
    ['munmap 4K', 1, 'LEN is missing', 'munmap ADDR LEN'],
    ['munmap 4K 4Q', 1, 'LEN "4Q" is not a number', 'decimal or 0x'],
    ['munmap 17T 4K', 1, 'ADDR "17T" is too large', '0 to 16T'],
    ['munmap 0 4097T', 1, 'LEN "4097T" is too large', '0 to 4096T'],
    ['munmap 0 4K 4K', 1, '"4K" is too much', 'munmap ADDR LEN'],
    ['mmap 0 4K rwx', 1, 'option "rwx" is unknown', '[r|rw|none]'],
    ['mmap 0 4K r rw', 1, 'option "rw" is one too many', '[r|rw|none]'],
    ['mmap 0 4K shared shared', 1, 'option "shared" is one too many', 'mmap'],
    ['mmap 0 4K constructor', 1, 'option "constructor" is unknown', 'mmap'],
    ['touch 0 4K x', 1, 'STRIDE "x" is not a number', 'decimal'],
    ['touch 0 4K w 0', 1, 'STRIDE is 0', '1 to'],
    ['madvise 0 4K', 1, 'advice is missing', 'dontneed'],
    ['madvise 0 4K forget', 1, 'advice "forget" is unknown', 'dontneed, free'],
    ['mremap 0 4K', 1, 'NEW is missing', 'mremap OLD LEN NEW'],
    ['mprotect 0 4K', 1, 'protection is missing', 'none|r|rw'],
    ['mprotect 0 4K w', 1, 'protection "w" is unknown', 'none, r, rw'],
    ['barrier 1', 1, '"1" is too much', 'barrier'],
    ['x: munmap 0 4K', 1, 'CPU "x" is no CPU number', '0 to 1023'],
    ['1024: munmap 0 4K', 1, 'CPU "1024" is no CPU number', '0 to 1023'],
    [': munmap 0 4K', 1, 'CPU "" is no CPU number', '0 to 1023'],
    ['2:', 1, 'the operation is missing', 'mmap, munmap'],
    ['@1 munmap 0 4K', 1, 'process "1" is none so far', '0; each fork makes the next one'],
    ['fork\n@2 fork', 2, 'process "2" is none so far', '0 to 1'],
    ['fork\n@x fork', 2, 'process "x" is none so far', '0 to 1'],
    ['exit\nmunmap 0 4K', 2, 'process 0 has exited in line 1', 'one that has not'],
    ['fork 1', 1, '"1" is too much', 'fork'],
    ['@0', 1, 'the operation is missing', 'mmap, munmap'],
    ['@0 barrier', 1, "a barrier is no process's", 'barrier'],
    ['toString 0 4K', 1, 'operation "toString" is unknown', 'mmap'],
  ])('%j', (text, line, problem, allowed) => {
    const error = failure(text);
    expect(error.file).toBe('bad.mm');
    expect(error.line).toBe(line);
    expect(error.problem).toBe(problem);
    expect(error.allowed).toContain(allowed);
    expect(error.message.startsWith(`bad.mm:${line}: `)).toBe(true);
    expect(error.message).not.toContain('\n');
  });

  test.each(['', '\n\n', '# nothing\n'])('%j has no operation', (text) => {
    expect(failure(text).message).toMatch(/^bad\.mm: no operation in the file; allowed: /);
  });

  test('control characters and long words are quoted and cut', () => {
    const error = failure(`mmap \u001b[31m${'x'.repeat(500)} 4K`);
    expect(error.message.length).toBeLessThan(250);
    expect(error.message).not.toContain('\u001b');
  });
});

const address = fc.oneof(
  fc.nat({ max: 2 ** 23 }).map((bucket) => bucket * 2 ** 21),
  fc.maxSafeNat().map((n) => n % (2 ** 44 + 1)),
);
const length = fc.oneof(
  fc.nat({ max: 4096 }).map((pages) => pages * 4096),
  fc.maxSafeNat().map((n) => n % (2 ** 52 + 1)),
);
const cpu = fc.nat({ max: 1023 });
const base = { cpu, address, length, arg2: fc.constant(0), arg3: fc.constant(0) };
const rest = { arg4: fc.constant(0), timeS: fc.constant(0), process: fc.constant(0) };
const protection = fc.constantFrom(0, 1, 3);
const call = (code: number) => ({ ...base, ...rest, call: fc.constant(code) });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    ...call(op.CALL_BARRIER),
    address: fc.constant(0),
    length: fc.constant(0),
  }),
  fc.record({ ...call(op.CALL_MMAP), arg2: protection, arg3: fc.nat({ max: 3 }) }),
  fc.record(call(op.CALL_MUNMAP)),
  fc.record({
    ...call(op.CALL_TOUCH),
    arg2: fc.nat({ max: 1 }),
    arg3: length.map((n) => Math.max(1, n)),
  }),
  fc.record({
    ...call(op.CALL_MADVISE),
    arg2: fc.constantFrom(...Object.values(op.ADVICE_NUMBERS)),
  }),
  fc.record({ ...call(op.CALL_MREMAP), arg2: address, arg3: length }),
  fc.record({ ...call(op.CALL_MPROTECT), arg2: protection }),
);

test('what is printed parses to the same operations', () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 50 }), (operations) => {
      const list = parseScript(operations.map(formatScriptLine).join('\n'), 'round.mm');
      const parsed = operations.map((_, index) => op.readOperation(list.operations, index));
      expect(list.count).toBe(operations.length);
      expect(parsed).toEqual(operations);
    }),
  );
});

test('any text is parsed or refused with a TraceError, never another error', () => {
  const word = fc.oneof(
    fc.constantFrom('mmap', 'touch', 'madvise', 'mremap', '0', '4K', '0x', 'rw', ':', '1:', '#'),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      try {
        expect(parseScript(words.join(' '), 'any.mm').count).toBe(1);
      } catch (error) {
        if (!(error instanceof TraceError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

test('what scripts cannot say is refused', () => {
  const list = op.operationList([
    { call: op.CALL_FAULT },
    { call: op.CALL_BRK },
    { call: op.CALL_MMAP, arg2: 5 },
    { call: op.CALL_MMAP, arg2: 3, arg3: op.MAP_REPLACE },
    { call: op.CALL_MMAP, arg2: 3, arg4: 1 },
    { call: op.CALL_MREMAP, arg4: op.MREMAP_NOT_FIXED },
    { call: op.CALL_MADVISE, arg2: 1 },
  ]);
  for (let i = 0; i < list.count; i++) {
    const one = op.readOperation(list.operations, i);
    expect(() => formatScriptLine(one)).toThrow(RangeError);
  }
});
