/**
 * The C programs in bench/peers/: finds a compiler and the libraries, builds what can be built into
 * bench/peers/build/, and runs one measurement at a time.
 *
 *     node dist/bench/peers.js                    builds, prints {"compiler", "measurements", "missing"}
 *     node dist/bench/peers.js NAME [ROUND_MS]    one round: prints {"name", "nsPerOp", "ops", ...}
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-pthread'];

interface Library {
  title: string;
  header: string;
  link: string[];
  debian: string;
}

const libraries = {
  ck: { title: 'Concurrency Kit', header: 'ck_spinlock.h', link: [], debian: 'libck-dev' },
  qsbr: {
    title: 'liburcu-qsbr',
    header: 'urcu-qsbr.h',
    link: ['-lurcu-qsbr'],
    debian: 'liburcu-dev',
  },
  memb: { title: 'liburcu', header: 'urcu.h', link: ['-lurcu'], debian: 'liburcu-dev' },
} satisfies Record<string, Library>;

const programs: Record<string, { library?: keyof typeof libraries; linux?: true }> = {
  walk: {},
  lock: {},
  lock_pthread: {},
  lock_ck_fas: { library: 'ck' },
  lock_ck_ticket: { library: 'ck' },
  lock_ck_mcs: { library: 'ck' },
  rcu_qsbr: { library: 'qsbr' },
  rcu_qsbr_inline: { library: 'qsbr' },
  rcu_memb: { library: 'memb' },
  kernel: { linux: true },
};

/** One round of one peer, as its harness prints it. */
export interface PeerResult {
  name: string;
  /** Median of the round's batches, or elapsed time over the operations of all threads. */
  nsPerOp: number;
  ops: number;
  minNsPerOp?: number;
  meanNsPerOp?: number;
  batches?: number;
  /** What the slowest thread got, over an equal part: 1 is fair, 0 is starved. */
  share?: number;
}

/** The peers that could be built here. */
export interface PeerSet {
  /** The compiler's own description, null when there is none. */
  compiler: string | null;
  names: string[];
  /** What is not there, one sentence each. */
  missing: string[];
  has(name: string): boolean;
  /**
   * Runs one measurement for `durationMs` and a quarter more to warm up. Throws for an unknown name, and when the
   * peer fails, takes far too long, or prints something else than its figures.
   */
  run(name: string, durationMs: number): Promise<PeerResult>;
}

/** The folder of the package, from the source or from dist/. */
function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('bench: no package.json above this file');
    folder = parent;
  }
  return folder;
}

function findCompiler(): { command: string; version: string } | null {
  const candidates = process.env['CC'] ? [process.env['CC']] : ['gcc', 'cc'];
  for (const command of candidates) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { command, version: stdout.split('\n')[0] ?? command };
  }
  return null;
}

function compile(command: string, args: string[], input?: string): string | null {
  const { status, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
  if (status === 0) return null;
  return stderr?.split('\n').find((line) => line.includes('error')) ?? error?.message ?? 'failed';
}

function hasLibrary(command: string, { header, link }: Library): boolean {
  const source = `#include <${header}>\nint main(void) { return 0; }\n`;
  return (
    compile(
      command,
      ['-x', 'c', '-', '-pthread', '-o', devNull, '-Wl,--no-as-needed', ...link],
      source,
    ) === null
  );
}

/** Builds what has changed since the last time; anything that cannot be built is named in `missing`. */
export function buildPeers(): PeerSet {
  const sources = join(packageRoot(), 'bench/peers');
  const build = join(sources, 'build');
  const where = new Map<string, string>();
  const missing: string[] = [];
  const compiler = findCompiler();

  if (compiler) {
    mkdirSync(build, { recursive: true });
    const headers = readdirSync(sources)
      .filter((file) => file.endsWith('.h'))
      .map((file) => readFileSync(join(sources, file), 'utf8'));
    const found = new Map<Library, boolean>();
    for (const library of Object.values(libraries)) {
      const there = hasLibrary(compiler.command, library);
      found.set(library, there);
      if (!there)
        missing.push(`${library.title} is not installed (Debian and Ubuntu: ${library.debian})`);
    }
    for (const [name, { library, linux }] of Object.entries(programs)) {
      if (library && !found.get(libraries[library])) continue;
      if (linux && process.platform !== 'linux') {
        missing.push(`${name}.c needs Linux`);
        continue;
      }
      const source = join(sources, `${name}.c`);
      const binary = join(build, name);
      const link = library ? libraries[library].link : [];
      const stamp = createHash('sha256')
        .update([compiler.version, ...flags, ...link, ...headers, readFileSync(source)].join('\0'))
        .digest('hex');
      const stampFile = `${binary}.stamp`;
      if (
        !existsSync(stampFile) ||
        !existsSync(binary) ||
        readFileSync(stampFile, 'utf8') !== stamp
      ) {
        rmSync(stampFile, { force: true });
        const problem = compile(compiler.command, [...flags, source, '-o', binary, ...link]);
        if (problem !== null) {
          missing.push(`${name}.c did not compile: ${problem}`);
          continue;
        }
        writeFileSync(stampFile, stamp);
      }
      const { stdout } = spawnSync(binary, { encoding: 'utf8' });
      for (const measurement of stdout.split('\n').filter(Boolean)) where.set(measurement, binary);
    }
  } else {
    missing.push(`no C compiler (${process.env['CC'] ?? 'gcc or cc'}), so nothing to compare with`);
  }

  return {
    compiler: compiler?.version ?? null,
    names: [...where.keys()],
    missing,
    has: (name) => where.has(name),
    run: async (name, durationMs) => {
      const binary = where.get(name);
      if (binary === undefined)
        throw new RangeError(`no peer '${name}'; there are: ${[...where.keys()].join(', ')}`);
      const duration = Math.max(1, Math.round(durationMs));
      const { stdout } = await run(binary, [name, String(duration)], {
        timeout: 10_000 + 10 * duration,
        killSignal: 'SIGKILL',
      });
      const result = JSON.parse(stdout) as PeerResult;
      if (result.name !== name || !(result.nsPerOp > 0))
        throw new Error(`peer '${name}' printed '${stdout.trim()}', not its figures`);
      return result;
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [name, roundMs = '200'] = process.argv.slice(2);
  const peers = buildPeers();
  const { compiler, names: measurements, missing } = peers;
  try {
    const answer =
      name === undefined
        ? { compiler, measurements, missing }
        : await peers.run(name, Number(roundMs));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof RangeError ? 2 : 3;
  }
}
