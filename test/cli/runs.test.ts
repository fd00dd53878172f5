import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { Files, ptlab, start } from './cli.ts';
import { PROTOCOLS } from '../../src/machine/protocols.ts';

const files = new Files();
afterAll(() => files[Symbol.dispose]());

const SCRIPT = [
  'mmap 0 8M            # two tables, three with 0x...',
  'touch 0 4M',
  'touch 0 8M r',
  'madvise 0 2M dontneed',
  'touch 1G 4K',
  'munmap 0 8M',
].join('\n');

const LINES = [
  { op: 0, call: 'mmap', errno: null, vmpteKb: 0, anonPages: 0 },
  { op: 1, call: 'touch', errno: null, vmpteKb: 16, anonPages: 1024 },
  { op: 2, call: 'touch', errno: null, vmpteKb: 24, anonPages: 1024 },
  { op: 3, call: 'madvise', errno: null, vmpteKb: 20, anonPages: 512 },
  { op: 4, call: 'touch', errno: 'EFAULT', vmpteKb: 20, anonPages: 512 },
  { op: 5, call: 'munmap', errno: null, vmpteKb: 0, anonPages: 0 },
];

/** A line as perf script prints it. */
function event(at: number, text: string): string {
  return `prog 10/10 [000] ${at.toFixed(6)}: ${text}\n`;
}

function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('list', () => {
  it('shows every kind, as text and as one JSON document', async () => {
    const [text, json] = await Promise.all([ptlab('list'), ptlab('list', '--json')]);
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/^ {2}sync +\S/m);
    const document = JSON.parse(json.stdout) as Record<string, { name: string; summary: string }[]>;
    for (const [kind, entries] of Object.entries(document)) {
      for (const { name, summary } of entries) {
        expect(summary, `${kind} ${name}`).not.toBe('');
        expect(text.stdout).toContain(name);
      }
    }
    expect(document['protocols']?.map((entry) => entry.name)).toEqual([...PROTOCOLS]);
  });

  it('shows one kind', async () => {
    const { stdout } = await ptlab('list', 'locks', '--json');
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['locks']);
  });
});

describe('--help and --version', () => {
  it.each(['stress', 'replay', 'list', 'demo'])('%s --help', async (command) => {
    const { code, stdout, stderr } = await ptlab(command, '--help');
    expect(stdout).toMatch(new RegExp(`^usage: ptlab ${command}`));
    expect([code, stderr]).toEqual([0, '']);
  });

  it('lists the commands and says the version', async () => {
    const [overview, version] = await Promise.all([ptlab('--help'), ptlab('--version')]);
    expect(overview.stdout).toMatch(/stress[^]*replay[^]*list[^]*demo/);
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('replay', () => {
  it('prints one line per operation with --each, the report on stderr', async () => {
    const run = await ptlab('replay', '--each', files.write('each.mm', SCRIPT));
    expect(run.stderr).toContain('verdict: no violation');
    expect(run.code).toBe(0);
    expect(jsonLines(run.stdout)).toEqual(LINES);
    expect(run.stdout.split('\n')[3]).toBe(
      '{"op":3,"call":"madvise","errno":null,"vmpteKb":20,"anonPages":512}',
    );
  });

  it('keeps tables under protocol none, and in the js execution', async () => {
    const file = files.write('none.mm', SCRIPT);
    const run = await ptlab(
      ...'replay --each --quiet --protocol none --execution js'.split(' '),
      file,
    );
    expect(run.stderr).toBe('');
    expect((jsonLines(run.stdout)[3] as { vmpteKb: number }).vmpteKb).toBe(24);
  });

  it('has no swap unless asked', async () => {
    const file = files.write('swap.mm', 'mmap 0 64K\ntouch 0 64K\nmadvise 0 64K pageout\n');
    const pagesAfter = async (...options: string[]): Promise<unknown> => {
      const run = await ptlab('replay', '--each', '--quiet', ...options, file);
      return (jsonLines(run.stdout)[2] as { anonPages: number }).anonPages;
    };
    expect(await pagesAfter()).toBe(16);
    expect(await pagesAfter('--swap', '100')).toBe(0);
  });

  it('gives reads pages of their own where there is no zero page', async () => {
    const file = files.write('zero.mm', 'mmap 0 64K\ntouch 0 64K r\n');
    const pagesAfter = async (...options: string[]): Promise<unknown> => {
      const run = await ptlab('replay', '--each', ...options, file);
      expect(run.stderr.includes('no zero page')).toBe(options.length > 0);
      return (jsonLines(run.stdout)[1] as { anonPages: number }).anonPages;
    };
    expect(await pagesAfter()).toBe(0);
    expect(await pagesAfter('--no-zero-page')).toBe(16);
  });

  it('prints nothing but one JSON document with --json', async () => {
    const file = files.write('json.mm.gz', gzipSync(SCRIPT));
    const run = await ptlab('replay', '--json', '--each', file);
    const document = JSON.parse(run.stdout) as Record<string, unknown>;
    expect(run.code).toBe(0);
    expect(document).toMatchObject({
      command: 'replay',
      verdict: 'right',
      exitCode: 0,
      operations: 6,
      finished: 6,
      errors: { EFAULT: 1 },
      vmptePeakKb: 24,
      vmpteKb: 0,
      each: LINES,
      violations: [],
      audit: { ok: true },
    });
  });

  it('runs lines on the CPUs that they name, barriers in between', async () => {
    const script = [
      '0: mmap 0 64M',
      'barrier',
      '1: touch 0 32M',
      '2: touch 32M 32M',
      '0: barrier',
      '3: madvise 0 64M dontneed',
      'barrier',
      '1: munmap 0 64M',
    ].join('\n');
    const file = files.write('cpus.mm', script);
    const run = await ptlab('replay', '--each', '--check', 'full', file);
    expect(run.stderr).toContain('on 4 CPUs');
    const lines = jsonLines(run.stdout) as (typeof LINES)[number][];
    expect(lines.map(({ op, call }) => [op, call])).toEqual([
      [0, 'mmap'],
      [1, 'touch'],
      [2, 'touch'],
      [3, 'madvise'],
      [4, 'munmap'],
    ]);
    expect(lines[3]).toMatchObject({ errno: null, vmpteKb: 8, anonPages: 0 });
    expect(lines[4]).toMatchObject({ errno: null, vmpteKb: 0 });
    expect(run.code).toBe(0);
  });

  it('gives the time of a recorded program, and compares with samples', async () => {
    const address = 0x561a940bd764;
    const fault = (at: number, to: number): string =>
      event(at, `exceptions:page_fault_user: address=0x${to.toString(16)} ip=0x1 error_code=0x6`);
    const recording =
      event(1, 'sched:sched_process_exec: filename=./prog pid=10 old_pid=10') +
      fault(1.001, address) +
      fault(1.002, address + 2 ** 21) +
      fault(1.1, address + 2 ** 22);
    const file = files.write('prog.perf', recording);
    const samples = files.write(
      'prog.vmpte',
      '# pid 10\n1.003 16 1 1 1\n1.05 16 1 1 1\n1.1 80 1 1 1\n',
    );
    const each = await ptlab('replay', '--each', '--quiet', file);
    expect(jsonLines(each.stdout)).toEqual([
      { op: 0, call: 'fault', errno: null, vmpteKb: 12, anonPages: 1, t: 1.001 },
      { op: 1, call: 'fault', errno: null, vmpteKb: 16, anonPages: 2, t: 1.002 },
      { op: 2, call: 'fault', errno: null, vmpteKb: 20, anonPages: 3, t: 1.1 },
    ]);
    const against = await ptlab('replay', '--json', file, '--against', samples);
    expect((JSON.parse(against.stdout) as { comparison: unknown }).comparison).toMatchObject({
      compared: 3,
      agreeing: 2,
      worst: [{ kernelKb: 80, ptlabKb: 20 }],
    });
    const text = await ptlab('replay', file, '--against', samples);
    expect(text.stdout).toContain('2 of 3 agree');
    expect(text.stdout).toMatch(/kB \| \* ptlab {3}\+ the kernel's samples/);
  });

  it('says that the machine was too small, exit 3', async () => {
    const file = files.write('large.mm', 'mmap 0 4G\ntouch 0 4G w 2M\n');
    const run = await ptlab('replay', '--json', file, '--tables', '64');
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({ verdict: 'failed', errors: { ENOMEM: 1 } });
  });

  it('prints the partial report at Ctrl-C and exits with 130', async () => {
    const file = files.write('endless.mm', `mmap 0 1T\n${'touch 0 1T r 2M\n'.repeat(1000)}`);
    const run = start(['replay', '--check', 'off', '--progress', '0.1', file]);
    await run.saw('operations (');
    run.kill('SIGINT');
    const { code, stdout } = await run.finished;
    expect(stdout).toMatch(/[1-9]\d* operations? of 1,001 in/);
    expect(stdout).toContain('interrupted; this is the partial report');
    expect(code).toBe(130);
  });

  it('stops at its time limit, exit 3', async () => {
    const file = files.write('long.mm', `mmap 0 1T\n${'touch 0 1T r 2M\n'.repeat(1000)}`);
    const run = await ptlab('replay', '--json', '--timeout', '0.5', '--check', 'off', file);
    expect(JSON.parse(run.stdout)).toMatchObject({
      verdict: 'failed',
      summary: 'run failed: time out',
    });
    expect(run.code).toBe(3);
  });
});

describe('stress', () => {
  it('reports a run as one JSON document', async () => {
    const run = await ptlab('stress', '--cpus', '2', '--ops', '300', '--json', '--seed', '5');
    const document = JSON.parse(run.stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      command: 'stress',
      verdict: 'right',
      workload: 'all',
      seed: 5,
      operationsPerCpu: [300, 300],
      violations: [],
      audit: { ok: true },
    });
    expect(document['rerun']).toBe('ptlab stress --cpus 2 --ops 300 --seed 5 --mix all');
    expect(run.code).toBe(0);
  });

  it('prints the partial report at Ctrl-C and exits with 130', async () => {
    const run = start(['stress', '--cpus', '2', '--seconds', '60', '--progress', '0.2']);
    await run.saw('ops/s');
    run.kill('SIGINT');
    const { code, stdout } = await run.finished;
    expect(stdout).toContain('interrupted; this is the partial report');
    expect(stdout).toContain('tables freed');
    expect(code).toBe(130);
  });

  it.each(['exit', 'exception', 'memory'])('ends with 3 when a CPU dies by %s', async (kind) => {
    const run = await ptlab(
      ...`stress --cpus 2 --seconds 30 --json --events 32 --inject death=${kind}@1/200`.split(' '),
    );
    expect(run.code).toBe(3);
    const document = JSON.parse(run.stdout) as {
      verdict: string;
      summary: string;
      failure: { cpu: number; stack: string | null; locks: unknown[] };
      events: { cpu: number; timeUs: number }[];
      statistics: unknown;
    };
    expect(document.verdict).toBe('failed');
    expect(document.summary).toMatch(/CPU 1 died in .*; holding /);
    expect(document.failure.cpu).toBe(1);
    expect(document.failure.stack).toBeNull();
    expect(document.events).toContainEqual(expect.objectContaining({ cpu: 1, timeUs: 0 }));
    expect(document.failure.locks.length).toBeGreaterThan(0);
    expect(document.statistics).toBeDefined();
  });

  it('names oracle, CPU, operation, addresses and the command line of a violation, exit 1', async () => {
    const run = await ptlab(
      ...'stress --cpus 2 --seconds 20 --free immediate --seed 3 --quiet --lock-stat --events 64'.split(
        ' ',
      ),
    );
    expect(run.stdout).toMatch(/VIOLATION [a-z-]+\n +CPU \d+ in [a-z-]+\(0x/);
    expect(run.stdout).toMatch(
      /run it again:\n +ptlab stress --cpus 2 --seconds 20 --seed 3 --mix all --free immediate --lock-stat --events 64\n/,
    );
    expect(run.stdout).toMatch(/^lock .* p50 us +p99 us +hold total us +hold max us$/m);
    expect(run.stdout).toMatch(/last events, by the clock \(us\):\n[^]*CPU \d {2}VIOLATION/);
    expect(run.code).toBe(1);
  });

  it('runs a mutant, says so, and leaves no file of it behind', async () => {
    const kernels = (): string[] =>
      readdirSync(tmpdir()).filter((name) => name.startsWith('ptlab-mutant-'));
    const before = kernels();
    const run = await ptlab(
      ...'stress --mutant free-at-once --cpus 2 --seconds 30 --quiet'.split(' '),
    );
    expect(run.stdout).toContain('MUTANT free-at-once, wrong on purpose: protocol sync');
    expect(run.stdout).toMatch(/VIOLATION (table-use-after-free|grace-period)/);
    expect(run.stdout).toMatch(
      /run it again:\n +ptlab stress --cpus 2 --seconds 30 --seed 1 --mix walkers --mutant free-at-once\n/,
    );
    expect(run.code).toBe(1);
    expect(kernels()).toEqual(before);
  });
});

describe('demo', () => {
  it('shows the main job, as one JSON document', async () => {
    const run = await ptlab('demo', '--json', '--quiet');
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout)).toMatchObject({
      command: 'demo',
      verdict: 'right',
      loop: [
        { protocol: 'none', vmpteKb: 102_604, violations: [], audit: { ok: true } },
        { protocol: 'sync', vmpteKb: 204, violations: [], audit: { ok: true } },
        { protocol: 'pt-rwsem', vmpteKb: 0, violations: [], audit: { ok: true } },
      ],
      recording: { comparison: { agreeingPercent: 100 }, audit: { ok: true } },
      stress: { workload: 'all', violations: [], audit: { ok: true } },
    });
    expect(run.code).toBe(0);
  });
});
