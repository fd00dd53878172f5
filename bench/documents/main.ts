/**
 * `npm run docs`: makes again what programs make of README.md, CONTRIBUTING.md and bench/README.md (blocks.ts says how
 * it is marked), and tells which measured figures are of another kernel.
 *
 *     npm run docs                          # everything but what is measured; durations stay where nothing else has
 *                                           changed
 *     npm run docs -- --measure demo        # also the measured blocks whose command has `demo` in it; `.` means all,
 *                                           for hours
 *
 * Exit codes: 0; 1 a block cannot be made; 2 bad usage.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { blocksOf, kernelOf, lasting, withBodies, withFigures, type Block } from './blocks.ts';
import { figures } from './figures.ts';
import { makeBody } from './makers.ts';
import { DOCUMENTS, kernelDigest, readTree, ROOT, signature } from './tree.ts';

function options(): { measure?: string } {
  try {
    return parseArgs({ options: { measure: { type: 'string' } } }).values;
  } catch (error) {
    process.stderr.write(`docs: ${(error as Error).message}; allowed: --measure TEXT\n`);
    process.exit(2);
  }
}

const { measure } = options();

async function bodyOf({ kind, command, body }: Block): Promise<string | null> {
  const measured = kind === 'measured';
  if (measured && (measure === undefined || !(measure === '.' || command.includes(measure))))
    return null;
  process.stderr.write(`${command}\n`);
  const made = await makeBody(command);
  if (measured) return `${made}\n\n${signature()}`;
  return lasting(made) === lasting(body) ? null : made;
}

/** Makes one document again, and says which. */
async function remake(document: string): Promise<void> {
  const before = readTree(document);
  const after = withFigures(await withBodies(before, bodyOf), figures());
  if (after !== before) {
    writeFileSync(join(ROOT, document), after);
    process.stdout.write(`${document}: changed\n`);
  }
  const kernel = kernelDigest();
  for (const block of blocksOf(after))
    if (block.kind === 'measured' && kernelOf(block.body) !== kernel)
      process.stdout.write(
        `${document}: measured with kernel ${kernelOf(block.body)}, now ${kernel}: ${block.command}\n`,
      );
}

try {
  for (const document of DOCUMENTS) await remake(document);
} catch (error) {
  process.stderr.write(`docs: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
