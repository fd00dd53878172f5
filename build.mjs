/**
 * Builds dist/: the TypeScript with tsc, then for each check level the kernel twice, from the same files: a JavaScript copy
 * in dist/kernel/<level>/ and dist/kernel/<level>.wasm by AssemblyScript. Levels differ in one constant of check.ts;
 * the executions in word.ts. The explorer's kernel, all functions of which are generators, is made of the compiled JavaScript
 * in dist/kernel/coroutine/. WebAssembly kernels are made again only when a kernel source has changed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const kernel = join(root, 'src/kernel');
const out = join(root, 'dist/kernel');
const levels = { off: 0, fast: 1, full: 2 };

function compileTypeScript() {
  const bin = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
  for (const stale of ['src', 'workers', 'bench', 'test'])
    rmSync(join(root, 'dist', stale), { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [bin, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  plainDeclarations(join(root, 'dist/src/kernel'));
  plainDeclarations(join(root, 'dist/src/explore/portable'));
  const cli = join(root, 'dist/src/cli/main.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
}

/** A folder's declarations without the kernel's own name for numbers, which the package's users do not have. */
function plainDeclarations(folder) {
  for (const name of readdirSync(folder, { recursive: true }).filter((each) =>
    each.endsWith('.d.ts'),
  )) {
    const file = join(folder, name);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\bu32\b/g, 'number'));
  }
}

/** check.ts (or its JavaScript) for one level. */
function checkSource(text, level) {
  const replaced = text.replace(/(CHECK(?:: u32)? = )\d/, `$1${level}`);
  if (!/CHECK(?:: u32)? = \d/.test(text)) throw new Error('check.ts: no CHECK constant to replace');
  return replaced;
}

/** What `ptlab list` shows, written down so that it need not load everything that can be listed. */
async function writeCatalogue() {
  const cli = new URL('dist/src/cli/', pathToFileURL(root));
  const { catalogue } = await import(new URL('catalogue.js', cli).href);
  writeFileSync(new URL('catalogue.json', cli), JSON.stringify(catalogue()));
}

function copyJavaScriptKernels() {
  for (const [name, level] of Object.entries(levels)) {
    const to = join(out, name);
    rmSync(to, { recursive: true, force: true });
    cpSync(join(root, 'dist/src/kernel'), to, {
      recursive: true,
      filter: (path) => !path.endsWith('.d.ts'),
    });
    const check = join(to, 'word/check.js');
    writeFileSync(check, checkSource(readFileSync(check, 'utf8'), level));
  }
}

async function makeCoroutineKernel() {
  const compiled = pathToFileURL(join(root, 'dist/src/explore/link/coroutine.js'));
  const { linkCoroutines } = await import(compiled.href);
  const { source, sites } = linkCoroutines(['kernel/index.js']);
  const to = join(out, 'coroutine');
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, 'kernel.js'), source);
  writeFileSync(join(to, 'sites.json'), JSON.stringify(sites));
}

/**
 * A kernel source as AssemblyScript is to see it. Paths lose their ending: with it, `export ... from` would load a second
 * instance of the module, with a current CPU of its own. A function whose doc comment ends in the tag @inline gets the decorator.
 */
function portableSource(text) {
  return text
    .replace(/( from '\.[^']+)\.ts'/g, "$1'")
    .replace(/(@inline\s*\*\/\n)(export )?function /g, '$1@inline\n$2function ');
}

async function compileWasmKernels() {
  const sources = readdirSync(kernel, { recursive: true })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .toSorted();
  const texts = new Map(
    sources.map((name) => [name, portableSource(readFileSync(join(kernel, name), 'utf8'))]),
  );
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const [name, text] of texts) hash.update(`${name}\0${text}\0`);
  const digest = hash.digest('hex');
  const stamp = join(out, 'wasm.stamp');
  const built = Object.keys(levels).every((name) => existsSync(join(out, `${name}.wasm`)));
  if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(stamp, { force: true });
  const asc = await import('assemblyscript/asc');
  for (const [name, level] of Object.entries(levels)) {
    const readFile = (path) => {
      const file = path
        .replace(/\\/g, '/')
        .replace(/^\.\//, '')
        .replace(/\.ts\.ts$/, '.ts');
      if (file === 'word/word.ts') return texts.get('word/word.wasm.ts');
      if (file === 'word/check.ts') return checkSource(texts.get('word/check.ts'), level);
      return texts.get(file) ?? null;
    };
    const { error, stderr } = await asc.main(
      [
        'index.ts',
        '--outFile',
        `${name}.wasm`,
        '--textFile',
        `${name}.wat`,
        '--runtime',
        'stub',
        '--noExportMemory',
        '--enable',
        'threads',
        '--importMemory',
        '--sharedMemory',
        '--initialMemory',
        '1',
        '--maximumMemory',
        '65536',
        '--memoryBase',
        '0',
        '--use',
        'abort=',
        '-O3',
        '--noAssert',
        '--converge',
      ],
      {
        readFile,
        writeFile: (file, contents) => writeFileSync(join(out, file), contents),
        listFiles: () => [],
      },
    );
    if (error) {
      process.stderr.write(String(stderr));
      throw error;
    }
  }
  writeFileSync(stamp, digest);
}

mkdirSync(out, { recursive: true });
compileTypeScript();
await writeCatalogue();
copyJavaScriptKernels();
await makeCoroutineKernel();
await compileWasmKernels();
