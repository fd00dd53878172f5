import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { plugged } from './src/foundry/plug.ts';

const root = fileURLToPath(new URL('.', import.meta.url));

const kernel = `${root}src/kernel`;

/** Tests that import the kernel's sources get the plug-ins' hooks as every build does. */
const FOUNDRY = {
  name: 'foundry',
  enforce: 'pre',
  transform: (code: string, id: string) =>
    id.startsWith(`${kernel}/`) ? plugged(kernel, relative(kernel, id), code) : null,
} as const;

/** Files whose tests run many threads, measure, or share a folder: one after another, when all others are done. */
const ALONE = [
  'test/{bench,linux,machine}/**/*.test.ts',
  'test/cli/{contend,runs}.test.ts',
  'test/conformance/{interleavings,stress}.test.ts',
  'test/explore/{fromStress,parallel,slow,threads}.test.ts',
  'test/trace/{forks,replay}.test.ts',
  'test/unit/{threads,vmaReaders}.test.ts',
];

/** Files that take longest, begun first, so that no core is left with one of them at the end. */
const LONGEST = [
  'explore/scenarios',
  'explore/races',
  'explore/protocols',
  'explore/wrong',
  'explore/mutants',
  'conformance/semantics',
  'conformance/failures',
  'explore/refcount',
  'explore/worst',
].map((name) => `${root}test/${name}`);

function placeOf({ moduleId }: TestSpecification): number {
  const at = LONGEST.findIndex((path) => moduleId.startsWith(path));
  return at === -1 ? LONGEST.length : at;
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}

/**
 * Imports of src/ mean what the build made of it. That runs as it does for users; what vitest makes of TypeScript runs
 * slower, since each use of an imported name is a call.
 */
const BUILT = {
  alias: [{ find: /^(?:\.\.\/)+src\/(.*)\.ts$/, replacement: `${root}dist/src/$1.js` }],
};

const project = (
  name: string,
  built: boolean,
  test: TestProjectInlineConfiguration['test'],
): TestProjectInlineConfiguration => ({
  ...(built ? { resolve: BUILT } : { plugins: [FOUNDRY] }),
  test: {
    name,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    ...(built && { globalSetup: ['test/built.ts'] }),
    server: { deps: { external: [/\/dist\//] } },
    ...test,
  },
});

export default defineConfig({
  test: {
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      project('built', true, {
        include: ['test/{cli,conformance,experiment,explore}/**/*.test.ts'],
        exclude: ALONE,
      }),
      project('sources', false, {
        include: ['test/{foundry,report,trace,unit}/**/*.test.ts'],
        exclude: ALONE,
      }),
      project('alone', true, { include: ALONE, fileParallelism: false }),
    ],
  },
});
