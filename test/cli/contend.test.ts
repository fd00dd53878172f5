import { describe, expect, it } from 'vitest';
import { Files, ptlab, start } from './cli.ts';

const QUICK = ['--samples', '1', '--sample-seconds', '0.05', '--warmup', '0.02', '-q'];
const contend = (...args: string[]) => ptlab('contend', ...args, ...QUICK);

/** A workload of a user's own. */
const OWN_WORKLOAD = `
  export const prepare = (cpu) => [cpu.calls.pages.mmCreate()];
  export const run = (cpu) => {
    cpu.calls.mmap(cpu.shared[0], cpu.id * 2 ** 21, 4096, 3, 0);
    cpu.calls.munmap(cpu.shared[0], cpu.id * 2 ** 21, 4096);
  };
  export const cleanUp = (cpu) => cpu.calls.pages.mmDestroy(cpu.shared[0]);
`;

interface Document {
  verdict: string;
  exitCode: number;
  rerun: string;
  results: {
    workload: string;
    unit: string;
    options: { protocol: string; lock: string; cpus: number };
    samples: { iterations: number; durationMs: number }[];
    locks: Record<string, { acquired: number }>;
    contention: {
      matrix: { forCpus: unknown[] }[];
      heat: { level: string }[];
      quantileError: number;
      histograms: { gracePeriod: { count: number; buckets: { count: number }[] } };
    };
    audit: { ok: boolean };
  }[];
  costs: { pairs: number; processor: { median: number } }[];
  leftOut: { reason: string }[];
}

const documentOf = (text: string): Document => JSON.parse(text) as Document;

describe('contend', () => {
  it('shows the table of combinations, then the contention of each', async () => {
    const { code, stdout, stderr } = await contend('--workload', 'mapbench-local', '--cpus', '2');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    for (const part of [
      /^workload +protocol +lock +CPUs +per second/m,
      /^mapbench-local +sync +adaptive +2 +\S/m,
      /con-bounces +contentions +waittime-min +waittime-max +waittime-total +waittime-avg +acq-bounces +acquisitions +holdtime-min +holdtime-max +holdtime-total +holdtime-avg/,
      /^ *mmap_lock-W: +\d+ +\d+ +\d+\.\d\d /m,
      /^who waited for whom/m,
      /^latencies; each at most 6\.25 %/m,
      /^verdict: no violation$/m,
    ])
      expect(stdout).toMatch(part);
  });

  it('prints one document with every combination', async () => {
    const { code, stdout } = await contend(
      '--workload',
      'mapbench-local,churn',
      '--protocol',
      'none,sync',
      '--lock',
      'tas',
      '--cpus',
      '1,2',
      '--json',
    );
    expect(code).toBe(0);
    const { results, verdict } = documentOf(stdout);
    expect(verdict).toBe('right');
    const combinations = results.map(({ workload, options }) => [
      workload,
      options.cpus,
      options.protocol,
      options.lock,
    ]);
    expect(combinations).toEqual(
      ['mapbench-local', 'churn'].flatMap((workload) =>
        [1, 2].flatMap((cpus) =>
          ['none', 'sync'].map((protocol) => [workload, cpus, protocol, 'tas']),
        ),
      ),
    );
    for (const { samples, options, contention, audit, locks } of results) {
      expect(samples).toHaveLength(1);
      expect(samples[0]!.iterations).toBeGreaterThan(0);
      expect(contention.matrix).toHaveLength(options.cpus);
      expect(contention.quantileError).toBe(0.0625);
      const { count, buckets } = contention.histograms.gracePeriod;
      expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(count);
      expect(locks['pte']!.acquired).toBeGreaterThan(0);
      expect(audit.ok).toBe(true);
    }
  });

  it('takes all protocols, and says which it leaves out', async () => {
    const [all, listed] = await Promise.all([
      contend('--workload', 'mapbench-local', '--protocol', 'all', '--cpus', '1', '--json'),
      ptlab('list', 'protocols', '--json'),
    ]);
    const { protocols } = JSON.parse(listed.stdout) as { protocols: { name: string }[] };
    const { results, leftOut } = documentOf(all.stdout);
    expect(results.length + leftOut.length).toBe(protocols.length);
    expect(all.code).toBe(0);
  });

  it('replays a recorded program', async () => {
    const file = 'src/trace/recordings/reproducer.perf.gz';
    const { code, stdout } = await contend('--workload', `recorded:${file}`, '--json');
    expect(code).toBe(0);
    const [result] = documentOf(stdout).results;
    expect(result!.unit).toBe('operations of the program');
    expect(result!.samples[0]!.iterations).toBeGreaterThan(1000);
  });

  it('measures what measuring costs', async () => {
    const args = ['--workload', 'mapbench-local', '--cpus', '1', '--cost'];
    const [text, json] = await Promise.all([contend(...args), contend(...args, '--json')]);
    expect(text.stdout).toMatch(/cost by processor time/);
    expect(text.stdout).toMatch(/^On: .*every wait/m);
    expect(documentOf(json.stdout).costs).toHaveLength(1);
    expect([text.code, json.code]).toEqual([0, 0]);
  });

  it.each([
    [['--workload', 'page_fault4'], /--workload "page_fault4" is unknown; allowed: page_fault1_/],
    [['--workload', 'recorded:nothing.gz'], /nothing\.gz/],
    [['--protocol', 'sync,rcu'], /--protocol "rcu" is unknown; allowed: none, sync/],
    [['--lock', ''], /--lock "" is unknown; allowed: adaptive/],
    [['--cpus', '2,0'], /--cpus "0" is not allowed; allowed: a whole number from 1 to 32/],
    [['--samples', '0'], /--samples "0" is not allowed/],
    [['mapbench-local'], /argument "mapbench-local" is one too many/],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await ptlab('contend', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('prints what it has when it is interrupted', async () => {
    const args = ['--workload', 'mapbench-local', '--cpus', '1', '--samples', '1000', '--json'];
    const running = start(['contend', ...args, '--sample-seconds', '0.05', '--progress', '0.1']);
    await running.saw('samples');
    running.kill('SIGINT');
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    const { verdict, results } = documentOf(stdout);
    expect(verdict).toBe('interrupted');
    expect(results[0]!.samples.length).toBeGreaterThan(0);
  });

  it('ends as failed when its time is over', async () => {
    const args = ['--workload', 'churn', '--cpus', '1', '--samples', '1000', '--json', '-q'];
    const { code, stdout } = await ptlab('contend', ...args, '--timeout', '1');
    expect(code).toBe(3);
    expect(documentOf(stdout).verdict).toBe('failed');
  });

  it('has a help text', async () => {
    const { code, stdout } = await ptlab('contend', '--help');
    expect(code).toBe(0);
    for (const option of ['--workload W,...', '--protocol P,...', '--cost', '--locks N'])
      expect(stdout).toContain(option);
  });
});

describe('the named workloads', () => {
  it('are listed', async () => {
    const { stdout } = await ptlab('list', 'workloads', '--json');
    const { workloads } = JSON.parse(stdout) as { workloads: { name: string }[] };
    for (const name of [
      'page_fault1_threads',
      'page_fault3_processes',
      'mmap2_threads',
      'mapbench-local',
      'mapbench-pipeline',
      'mapbench-global',
      'reproducer',
      'churn',
    ])
      expect(workloads.map((workload) => workload.name)).toContain(name);
  });

  it('can be stressed', async () => {
    const args = ['--workload', 'mapbench-global', '--ops', '50', '--cpus', '2', '--json', '-q'];
    const { code, stdout } = await ptlab('stress', ...args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'right', operations: 100 });
  });

  it.each([
    [['--workload', 'mapbench'], /--workload "mapbench" is unknown; allowed: page_fault1_threads/],
    [['--workload', 'churn', '--mix', 'all'], /--mix and --workload exclude each other/],
  ])('stress refuses %j', async (args, message) => {
    const { code, stderr } = await ptlab('stress', ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('stress takes a module of its own', async () => {
    using files = new Files();
    const file = files.write('own.mjs', OWN_WORKLOAD);
    const { code, stdout } = await ptlab(
      'stress',
      '--workload',
      file,
      '--ops',
      '5',
      '--json',
      '-q',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ verdict: 'right' });
  });
});
