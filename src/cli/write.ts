/** Lines to stdout, in chunks, no faster than its reader takes them. */
import { once } from 'node:events';

const CHUNK_CHARS = 1 << 16;

/** Writes every line with its newline; resolves when all of it has been handed to the reader. */
export async function writeLines(lines: Iterable<string>): Promise<void> {
  let chunk = '';
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARS) continue;
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    chunk = '';
  }
  if (chunk !== '' && !process.stdout.write(chunk)) await once(process.stdout, 'drain');
}

/** Writes one JSON document. */
export async function writeJson(document: unknown): Promise<void> {
  await writeLines([JSON.stringify(document, null, 2)]);
}
