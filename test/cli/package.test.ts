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

/** Maps of what programs of the explorer are linked from. */
const SOURCE_MAPS = /^dist\/src\/(kernel|explore\/(portable|scenarios))\/(\w+\/)*\w+\.js\.map$/;

describe('the package', () => {
  const files = packed();

  it.each([
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'dist/src/cli/main.js',
    'dist/src/cli/catalogue.json',
    'dist/workers/cpu.js',
    'dist/workers/entry.cjs',
    'dist/kernel/full.wasm',
    'dist/kernel/off.json',
    'dist/src/kernel/word/layout.js',
    'src/trace/recordings/redis.perf.gz',
    'README.md',
    'LICENSE',
  ])('has %s', (path) => {
    expect(files).toContain(path);
  });

  it('has nothing that only serves development', () => {
    const development = /\.(wat|map|stamp)$|(^|\/)(bench|test)|\.cpuprofile$/;
    expect(files.filter((path) => development.test(path) && !SOURCE_MAPS.test(path))).toEqual([]);
  });

  it('has what the explorer needs to name lines of the kernel', () => {
    expect(files).toContain('dist/src/kernel/tables/pteMap.js.map');
    expect(files).toContain('dist/src/explore/scenarios/zap/zapWalk.js.map');
  });
});
