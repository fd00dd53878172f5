import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Files, ptlab } from './cli.ts';
import type { Finished } from './cli.ts';

const files = new Files();
afterAll(() => files[Symbol.dispose]());

const SCRIPT = files.write('good.mm', 'mmap 0 4M\ntouch 0 4M\n');
const RECORDING =
  'prog 10/10 [000] 1.000001: sched:sched_process_exec: filename=./prog pid=10 old_pid=10\n' +
  'prog 10/10 [000] 1.000002: exceptions:page_fault_user: address=0x561a940bd764 ip=0x1 error_code=0x6\n';
const RECORDED = files.write('good.perf', RECORDING);

function expectUsage(run: Finished): void {
  expect(run.stderr).toMatch(/^[^\n]+\n$/);
  expect(run.stderr).not.toMatch(/\bat .*:\d+:\d+|node:internal/);
  expect(run.stdout).toBe('');
  expect(run.code).toBe(2);
}

describe('bad usage', () => {
  it.each<[string[], string]>([
    [[], 'no command; allowed: '],
    [['fly'], 'unknown command "fly"; allowed: stress'],
    [['stres'], 'did you mean stress?'],
    [['stress', '--cpus', '0'], '--cpus "0" is not allowed; allowed: a whole number from 1 to 32'],
    [['stress', '--cpus', '64'], '--cpus "64" is not allowed'],
    [['stress', '--seconds', '0'], '--seconds "0" is not allowed'],
    [['stress', '--seconds', '1', '--ops', '1'], '--seconds and --ops exclude each other'],
    [['stress', '--protocol', 'later'], '--protocol "later" is unknown; allowed: none, sync, '],
    [
      ['stress', '--fault', 'lockless'],
      '"lockless" is unknown; allowed: mmap-lock, vma-lock, speculative',
    ],
    [['stress', '--zap', 'pages'], '--zap "pages" is unknown; allowed: page, folio'],
    [['stress', '--mix', 'none'], '--mix "none" is unknown; allowed: fault-heavy'],
    [['stress', '--inject', 'table'], '"table" is not NAME=VALUE'],
    [['stress', '--cpus', '2', '--inject', 'death=exit@2/1'], 'death CPU "2" is not allowed'],
    [['stress', '--check', 'some'], '--check "some" is unknown; allowed: off, fast, full'],
    [['stress', '--tables', '3'], '--tables "3" is not allowed'],
    [
      ['stress', '--events', '63'],
      '--events "63" is not allowed; allowed: 0 or a power of two up to 1048576',
    ],
    [['replay', '--events', '2097152', 'x.mm'], '--events "2097152" is not allowed'],
    [['stress', '--mutant', 'none'], '--mutant "none" is unknown; allowed: free-at-once, '],
    [
      ['stress', '--mutant', 'free-at-once', '--execution', 'wasm'],
      '--execution "wasm" cannot run a mutant',
    ],
    [['stress', 'now'], 'argument "now" is one too many'],
    [['stress', '--seed', '-5'], '--seed "-5" is not allowed'],
    [['list', 'planets'], 'KIND "planets" is unknown; allowed: protocols'],
    [['replay'], 'FILE is missing'],
    [['replay', SCRIPT, SCRIPT], 'is one too many'],
    [['replay', '--each', SCRIPT, '--lok', 'tas'], 'did you mean --lock?'],
    [['replay', SCRIPT, '--against', 'x.vmpte'], 'an mm script, which has no times'],
    [['replay', RECORDED, '--against', join(files.path, 'none.vmpte')], 'none.vmpte: no such file'],
    [['replay', join(files.path, 'none.mm')], 'none.mm: no such file'],
    [['replay', files.path], 'is a directory'],
  ])('%j', async (args, expected) => {
    const run = await ptlab(...args);
    expect(run.stderr).toContain(expected);
    expectUsage(run);
  });
});

describe('bad input', () => {
  it.each<[string, string | Buffer, string]>([
    ['empty.mm', '', 'empty.mm: the file is empty'],
    ['comments.mm', '# nothing\n', 'comments.mm: no operation'],
    ['word.mm', 'mmap 0 4M\nfrob 0 1\n', 'word.mm:2: operation "frob" is unknown'],
    ['number.mm', 'mmap 0 4M\n\ntouch zero 1\n', 'number.mm:3: ADDR "zero" is not a number'],
    ['far.mm', 'mmap 17T 4K\n', 'far.mm:1: ADDR "17T" is too large'],
    ['cpu.mm', 'mmap 0 4M\n40: touch 0 4M\n', 'cpu.mm:2: CPU 40 is no CPU of the machine'],
    ['binary.mm', Buffer.from([109, 109, 97, 112, 0, 1, 2]), 'binary.mm:1: binary data'],
    ['cut.mm.gz', gzipSync('mmap 0 4M\n'.repeat(1000)).subarray(0, 40), 'truncated'],
    ['bad.gz', Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(64, 7)]), 'bad.gz'],
    ['data.perf', 'PERFILE2abcdef', 'perf.data'],
    [
      'events.perf',
      `${RECORDING}prog 10/10 [000] 1.000003: sched:sched_frobnicate: x=1\n`,
      'events.perf:3',
    ],
    [
      'order.perf',
      `${RECORDING}prog 10/10 [000] 0.500000: exceptions:page_fault_user: address=0x561a940bd764 ip=0x1 error_code=0x6\n`,
      'order.perf:3',
    ],
    ['cut.perf', RECORDING.slice(0, -40), 'cut.perf:2'],
  ])('%s', async (name, content, expected) => {
    const run = await ptlab('replay', files.write(name, content));
    expect(run.stderr).toContain(expected);
    expectUsage(run);
  });

  it('names file and line of bad samples', async () => {
    const samples = files.write('bad.vmpte', '# pid 10\n1.000001 40 1 1 1\nnonsense\n');
    const run = await ptlab('replay', RECORDED, '--against', samples);
    expect(run.stderr).toContain('bad.vmpte:3: not a sample');
    expectUsage(run);
  });
});
