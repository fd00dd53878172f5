import { readFileSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';

import type { OperationList } from './operation.ts';
import { importPerf } from './perf.ts';
import type { PerfOptions, PerfTrace } from './perf.ts';
import { parseScript } from './script.ts';
import { TraceError } from './traceError.ts';

/** What a file held: an mm script or a recorded program. */
export type Trace =
  | ({ kind: 'script'; file: string } & OperationList)
  | ({ kind: 'recording'; file: string } & PerfTrace);

const ALLOWED = 'an mm script or a recording as perf script prints it, plain or .gz';
const LARGEST_BYTES = 2 ** 31;
const LINES_LOOKED_AT = 20;
const LINE_LOOKED_AT = 200;
const EVENT_LINE = /\d\/\d+ +\[\d+\]|\[\d{3,}\] +\d+\.\d/;
const OTHER_FORMATS: readonly (readonly [magic: string, what: string])[] = [
  ['PERFILE2', 'a perf.data file (print it with perf script first)'],
  ['\x7fELF', 'a program'],
  ['PK\x03\x04', 'a zip archive'],
  ['\x28\xb5\x2f\xfd', 'zstd data'],
  ['\xfd7zXZ', 'xz data'],
  ['BZh', 'bzip2 data'],
];

/**
 * Reads `file`, plain or gzip (told by its first bytes), and decides by its content whether it is an mm
 * script or a recording. `options` concern recordings only. Throws a TraceError that names the file, and
 * the line where there is one, for anything else.
 */
export function loadTrace(file: string, options: PerfOptions = {}): Trace {
  const bytes = readText(file);
  if (isRecording(bytes)) return { kind: 'recording', file, ...importPerf(bytes, file, options) };
  return { kind: 'script', file, ...parseScript(bytes.toString('utf8'), file) };
}

/** The text in `file`, decompressed. Throws a TraceError if it cannot be read, is empty or binary. */
export function readText(file: string): Buffer {
  const stored = readStored(file);
  if (stored.length === 0) throw new TraceError(file, null, 'the file is empty', ALLOWED);
  const bytes = stored[0] === 0x1f && stored[1] === 0x8b ? decompress(stored, file) : stored;
  if (bytes.length === 0) {
    throw new TraceError(file, null, 'the gzip data hold an empty file', ALLOWED);
  }
  const head = bytes.toString('latin1', 0, 8);
  for (const [magic, what] of OTHER_FORMATS) {
    if (head.startsWith(magic)) throw new TraceError(file, 1, `the file is ${what}`, ALLOWED);
  }
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw new TraceError(file, lineAt(bytes, zero), 'binary data (a zero byte)', ALLOWED);
  }
  return bytes;
}

function readStored(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ENOENT: 'no such file',
      EISDIR: 'is a directory',
      EACCES: 'may not be read (EACCES)',
    };
    throw new TraceError(file, null, reasons[code ?? ''] ?? message, ALLOWED);
  }
}

function decompress(stored: Buffer, file: string): Buffer {
  // The last four bytes give the size, so that one buffer is enough; a wrong size only costs time.
  const size = stored.length < 4 ? 0 : stored.readUInt32LE(stored.length - 4);
  const chunkSize = Math.min(Math.max(size + 64, 2 ** 16), Math.max(2 ** 16, stored.length * 64));
  try {
    return gunzipSync(stored, { chunkSize, maxOutputLength: LARGEST_BYTES });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new TraceError(file, null, 'the gzip data hold more than 2 GiB', 'up to 2 GiB of text');
    }
    if (code !== 'Z_BUF_ERROR') {
      throw new TraceError(file, null, `the gzip data are damaged (${message})`, ALLOWED);
    }
    const line = lastLine(stored);
    throw new TraceError(file, line, 'the gzip data end early, the file is truncated', ALLOWED);
  }
}

/** The line in which truncated gzip data end. */
function lastLine(stored: Buffer): number {
  try {
    const found = gunzipSync(stored, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: LARGEST_BYTES,
    });
    return lineAt(found, found.length);
  } catch {
    return 1;
  }
}

function lineAt(bytes: Buffer, offset: number): number {
  let line = 1;
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) line++;
  return line;
}

function isRecording(bytes: Buffer): boolean {
  let looked = 0;
  for (let start = 0; start < bytes.length && looked < LINES_LOOKED_AT;) {
    let end = bytes.indexOf(10, start);
    if (end < 0) end = bytes.length;
    const line = bytes.toString('latin1', start, Math.min(end, start + LINE_LOOKED_AT)).trim();
    start = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    if (EVENT_LINE.test(line)) return true;
    looked++;
  }
  return false;
}
