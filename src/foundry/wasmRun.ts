/**
 * Constants of a run in WebAssembly: the functions of word/run.ts become imported globals, and the loader writes the
 * run's values over the places that read them.
 *
 *  Build: `runTwin` writes each function as a read of a global that module `run` imports under the function's name. asc
 *   keeps such reads as they are, since it cannot know the value. `findSpots` looks for the instructions in the
 *   finished code.
 *  Load: `bindRun` writes `i32.const v` over `global.get i`. Both are an opcode and one byte as long as index and value
 *   are below 64, so nothing moves. V8 folds what depends on it. The imports stay, and are given the same values.
 */

/** One constant of a run. */
interface RunConstant {
  /** The function of word/run.ts, and the import's name. */
  name: string;
  /** The header's word, as layout.ts names it. */
  word: string;
  /** The value is whether the word is not 0. */
  flag: boolean;
}

const FUNCTION =
  /export function (\w+)\(\): (u32|boolean) \{\s*return peek\((H_\w+)\)( !== 0)?;\s*\}/g;

/** The constants that word/run.ts declares. */
export function runConstants(text: string): RunConstant[] {
  return [...text.matchAll(FUNCTION)].map(([, name, , word, flag]) => ({
    name: name!,
    word: word!,
    flag: flag !== undefined,
  }));
}

/** word/run.ts as AssemblyScript is to see it. */
export function runTwin(text: string): string {
  const constants = runConstants(text);
  const functions = text.match(/export function/g)?.length ?? 0;
  if (functions !== constants.length)
    throw new Error(
      `word/run.ts: ${functions} functions, ${constants.length} of the form "return peek(H_WORD);"`,
    );
  return constants
    .map(
      ({ name, flag }) => `@external("run", "${name}")
declare const ${name}_: u32;

@inline
export function ${name}(): ${flag ? 'boolean' : 'u32'} {
  return ${name}_${flag ? ' !== 0' : ''};
}
`,
    )
    .join('\n');
}

/** Reads a module's bytes in order. */
class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  /** An unsigned LEB128 number. */
  number(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  }

  /** Skips a LEB128 number of any sign and size. */
  skipNumber(): void {
    while (this.byte() >= 128);
  }

  name(): string {
    const length = this.number();
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }
}

const SECTION_IMPORT = 2;
const SECTION_CODE = 10;

/** Positions of a module's sections: their contents. */
function sections(bytes: Uint8Array): Map<number, [start: number, end: number]> {
  const found = new Map<number, [number, number]>();
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const size = reader.number();
    found.set(id, [reader.at, reader.at + size]);
    reader.at += size;
  }
  return found;
}

/** Names of the globals that a module imports from `run`, by index. */
function importedGlobals(bytes: Uint8Array): Map<number, string> {
  const found = new Map<number, string>();
  const at = sections(bytes).get(SECTION_IMPORT);
  if (at === undefined) return found;
  const reader = new Reader(bytes, at[0]);
  let globals = 0;
  for (let left = reader.number(); left > 0; left -= 1) {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.byte();
    if (kind === 0) reader.number();
    else if (kind === 3) {
      reader.at += 2;
      if (module === 'run') found.set(globals, name);
      globals += 1;
    } else {
      if (kind === 1) reader.byte();
      const flags = reader.byte();
      reader.number();
      if ((flags & 1) !== 0) reader.number();
    }
  }
  return found;
}

const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;

/** Skips what follows `opcode` in an instruction. Throws for an instruction that the kernel's builds have none of. */
function skipImmediates(reader: Reader, opcode: number): void {
  if (opcode === 0x02 || opcode === 0x03 || opcode === 0x04) reader.skipNumber();
  else if (opcode === 0x0c || opcode === 0x0d || opcode === 0x10) reader.number();
  else if (opcode === 0x0e)
    for (let left = reader.number() + 1; left > 0; left -= 1) reader.number();
  else if (opcode === 0x11) {
    reader.number();
    reader.number();
  } else if (opcode >= 0x20 && opcode <= 0x26) reader.number();
  else if (opcode >= 0x28 && opcode <= 0x3e) {
    reader.number();
    reader.number();
  } else if (opcode === 0x3f || opcode === 0x40) reader.byte();
  else if (opcode === 0x41 || opcode === 0x42) reader.skipNumber();
  else if (opcode === 0x43) reader.at += 4;
  else if (opcode === 0x44) reader.at += 8;
  else if (opcode === 0xfe) {
    const operation = reader.number();
    if (operation === 3) reader.byte();
    else {
      reader.number();
      reader.number();
    }
  } else if (opcode === 0xfc) {
    const operation = reader.number();
    if (operation === 10) reader.at += 2;
    else if (operation === 11) reader.byte();
    else if (operation > 7) throw new Error(`wasm: instruction 0xfc ${operation}`);
  } else if (
    !(opcode <= 0x01 || opcode === 0x05 || opcode === 0x0b || opcode === 0x0f) &&
    !(opcode === 0x1a || opcode === 0x1b || (opcode >= 0x45 && opcode <= 0xc4))
  )
    throw new Error(`wasm: instruction 0x${opcode.toString(16)}`);
}

/** Where a module reads the constants of the run: offsets of the instructions, by the constant's name. */
export function findSpots(bytes: Uint8Array): Record<string, number[]> {
  const names = importedGlobals(bytes);
  const spots = Object.fromEntries([...names.values()].map((name) => [name, [] as number[]]));
  const at = sections(bytes).get(SECTION_CODE)!;
  const reader = new Reader(bytes, at[0]);
  for (let left = reader.number(); left > 0; left -= 1) {
    const size = reader.number();
    const end = reader.at + size;
    for (let groups = reader.number(); groups > 0; groups -= 1) {
      reader.number();
      reader.byte();
    }
    while (reader.at < end) {
      const start = reader.at;
      const opcode = reader.byte();
      if (opcode === GLOBAL_GET) {
        const name = names.get(reader.number());
        if (name === undefined) continue;
        if (reader.at !== start + 2)
          throw new Error(`wasm: the global of ${name} has an index above 127`);
        spots[name]!.push(start);
      } else skipImmediates(reader, opcode);
    }
    if (reader.at !== end) throw new Error(`wasm: a function's end at ${reader.at}, not at ${end}`);
  }
  return spots;
}

/** What the build notes of a kernel beside its code. */
export interface RunNotes {
  name: string;
  /** Byte address of the header's word. */
  address: number;
  flag: boolean;
  spots: number[];
}

/** The run's values, by name: what `words`, the machine's memory, has in its header. */
export function runValues(notes: readonly RunNotes[], words: Uint32Array): Record<string, number> {
  return Object.fromEntries(
    notes.map(({ name, address, flag }) => {
      const word = words[address >>> 2]!;
      return [name, flag ? Number(word !== 0) : word];
    }),
  );
}

/** A copy of the module `bytes` with `values` for the constants of the run. */
export function bindRun(
  bytes: Uint8Array,
  notes: readonly RunNotes[],
  values: Readonly<Record<string, number>>,
): Uint8Array<ArrayBuffer> {
  const bound = new Uint8Array(bytes);
  for (const { name, spots } of notes) {
    const value = values[name]!;
    if (value >= 64) throw new Error(`${name}: ${value}; a constant of a run is below 64`);
    for (const spot of spots) {
      if (bound[spot] !== GLOBAL_GET)
        throw new Error(
          `${name}: no global.get at ${spot}; the kernel's notes are of another build`,
        );
      bound[spot] = I32_CONST;
      bound[spot + 1] = value;
    }
  }
  return bound;
}
