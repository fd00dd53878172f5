import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Paths of the files that npm would publish. */
function packed(): string[] {
  const shell = process.platform === 'win32';
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    shell,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [pack] = JSON.parse(text) as [{ files: { path: string }[] }];
  return pack.files.map((file) => file.path);
}

describe('the package', () => {
  const files = packed();

  it.each([
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'dist/src/cli/main.js',
    'dist/workers/cpu.js',
    'dist/kernel/full.wasm',
    'dist/kernel/off/index.js',
    'dist/src/kernel/layout.js',
    'src/trace/recordings/redis.perf.gz',
    'README.md',
    'LICENSE',
  ])('has %s', (path) => {
    expect(files).toContain(path);
  });

  it('has nothing that only serves development', () => {
    expect(
      files.filter((path) => /\.(wat|map|stamp)$|bench|test|\.cpuprofile$/.test(path)),
    ).toEqual([]);
  });
});
