/**
 * Builds dist/: the TypeScript with tsc, the kernel as coroutines for the explorer, and the kernel as WebAssembly, at the check levels that are
 * asked for, beside tsc. What plug-ins, levels and constants do to the kernel's sources is the foundry's (src/foundry/); this file is the order.
 *
 *     node build.mjs [LEVEL...]      off, fast, full; default: fast, which `ptlab` runs. Others are built when a machine first wants them.
 *     node build.mjs --catalogue     only src/foundry/catalogue.ts, which tsc needs
 *     node build.mjs --level LEVEL   only that level's WebAssembly
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const kernel = join(root, 'src/kernel');
const out = join(root, 'dist/kernel');
const require = createRequire(import.meta.url);

/** Compiles the foundry before anything else is: its types taken out, each file for itself. */
function makeFoundry() {
  const to = join(root, 'dist/src/foundry');
  const { transformSync } = require('@swc/wasm-typescript');
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(join(root, 'src/foundry')).filter((file) =>
    file.endsWith('.ts'),
  )) {
    const text = readFileSync(join(root, 'src/foundry', name), 'utf8');
    const { code } = transformSync(text, { mode: 'strip-only', filename: name });
    writeFileSync(
      join(to, name.replace(/\.ts$/, '.js')),
      code.replace(/( from '\.[^']+)\.ts'/g, "$1.js'"),
    );
  }
}

const foundry = (name) => import(pathToFileURL(join(root, `dist/src/foundry/${name}.js`)).href);

/** Writes a file if that changes it. */
function write(file, text) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

/** Runs Node to its end; the exit code. */
function run(...args) {
  return new Promise((resolve) =>
    spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }).on('exit', (code) =>
      resolve(code ?? 1),
    ),
  );
}

async function makeCatalogue() {
  const { catalogueText } = await foundry('plug');
  write(join(root, 'src/foundry/catalogue.ts'), catalogueText(kernel));
}

/** A folder's declarations without the kernel's own names for numbers, which the package's users do not have. */
async function plainDeclarations(folder) {
  const { brands, plainDeclaration } = await foundry('sources');
  const names = brands(kernel);
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const file = join(folder, name);
    writeFileSync(file, plainDeclaration(names, readFileSync(file, 'utf8')));
  }
}

/** Puts the plug-ins into the compiled kernel. */
async function plugCompiled() {
  const { plugged, SOCKETS } = await foundry('plug');
  const { asCompiled } = await foundry('strip');
  for (const { hooks } of SOCKETS) {
    const text = plugged(kernel, hooks, readFileSync(join(kernel, hooks), 'utf8'));
    const file = hooks.replace(/\.ts$/, '.js');
    writeFileSync(join(root, 'dist/src/kernel', file), asCompiled(hooks, text));
  }
}

/** What `ptlab list` shows, written down so that it need not load everything that can be listed. */
async function writeList() {
  const cli = new URL('dist/src/cli/', pathToFileURL(root));
  const { catalogue } = await import(new URL('catalogue.js', cli).href);
  writeFileSync(new URL('catalogue.json', cli), JSON.stringify(catalogue()));
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

/** Takes away what is of other sources than these: whoever wants it finds that it is not there. */
async function removeStale() {
  const { wasmFiles, wasmIsNew } = await foundry('wasm');
  const { LEVELS } = await foundry('sources');
  const kept = new Set(
    LEVELS.filter((level) => wasmIsNew(kernel, out, level))
      .flatMap((level) => Object.values(wasmFiles(out, level)))
      .map((file) => basename(file)),
  );
  for (const name of existsSync(out) ? readdirSync(out) : [])
    if (!kept.has(name)) rmSync(join(out, name), { recursive: true });
}

async function build(levels) {
  for (const stale of ['src', 'workers', 'bench', 'test'])
    rmSync(join(root, 'dist', stale), { recursive: true, force: true });
  makeFoundry();
  await makeCatalogue();
  await removeStale();
  const { wasmIsNew } = await foundry('wasm');
  const wanted = levels.filter((level) => !wasmIsNew(kernel, out, level));
  const compiling = wanted.map((level) => run('build.mjs', '--level', level));
  const tsc = join(require.resolve('typescript/package.json'), '../bin/tsc');
  let failed = await run(tsc, '-p', 'tsconfig.build.json');
  if (failed === 0) {
    for (const folder of ['kernel', 'explore/portable'])
      await plainDeclarations(join(root, 'dist/src', folder));
    await plugCompiled();
    await makeCoroutineKernel();
    await writeList();
    chmodSync(join(root, 'dist/src/cli/main.js'), 0o755);
  }
  for (const code of await Promise.all(compiling)) failed ||= code;
  process.exitCode = failed;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--level') {
  const { compileWasm } = await foundry('wasm');
  for (const level of rest) await compileWasm(kernel, out, level);
} else if (first === '--catalogue') {
  makeFoundry();
  await makeCatalogue();
} else await build(first === undefined ? ['fast'] : [first, ...rest]);
