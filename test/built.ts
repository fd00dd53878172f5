/** Before tests that run what is built: says so on stderr when a source is newer than what dist/ has of it. */
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

export default function sayWhenOld(): void {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' });
  const old = sources.filter(
    (file) =>
      /(?<!\.d|\.wasm)\.ts$/.test(file) &&
      changedMs(`${root}dist/src/${file.replace(/ts$/, 'js')}`) < changedMs(`${root}src/${file}`),
  );
  if (old.length === 0) return;
  const more = old.length === 1 ? '' : ` and ${old.length - 1} more`;
  process.stderr.write(
    `dist/ is older than src/${old[0]}${more}; tests run what is built: npm run build\n`,
  );
}
