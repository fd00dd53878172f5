import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const LIMIT_MS = 40_000;

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
  durationMs: number;
}

export interface Running {
  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when stderr holds `text`; rejects when the process ends before. */
  saw(text: string): Promise<void>;
  finished: Promise<Finished>;
}

/** Starts the built command line; it is killed, and its promise rejects, when it runs for longer than `LIMIT_MS`. */
export function start(args: readonly string[]): Running {
  const startMs = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
    for (const look of waiting) look();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`ptlab ${args.join(' ')}: still running after ${LIMIT_MS} ms\n${stderr}`));
    }, LIMIT_MS);
    child.on('close', (code) => {
      clearTimeout(timer);
      for (const look of waiting) look();
      resolve({ code, stdout, stderr, durationMs: performance.now() - startMs });
    });
  });
  return {
    kill: (signal) => child.kill(signal),
    saw: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stderr.includes(text)) resolve();
          else if (child.exitCode !== null) reject(new Error(`ended without ${text}: ${stderr}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    finished,
  };
}

/** Runs the built command line to its end. */
export function ptlab(...args: string[]): Promise<Finished> {
  return start(args).finished;
}

/** A folder for one test's files. */
export class Files implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'ptlab-cli-'));

  write(name: string, content: string | Buffer): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
