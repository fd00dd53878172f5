/**
 * Files in a drawing, where columns are narrow: by their base names, or with as many of the folders before them as tell
 * them from the others that occur; whole below it.
 */

import type { Position } from '../operation.ts';

/** The last `parts` parts of a path. */
const end = (file: string, parts: number): string => file.split('/').slice(-parts).join('/');

/** Names for files of a drawing, which are told by their paths. */
export class FileNames {
  readonly #short = new Map<string, string>();

  constructor(files: Iterable<string>) {
    const all = [...new Set(files)].toSorted();
    for (const file of all) {
      let parts = 1;
      while (all.some((other) => other !== file && end(other, parts) === end(file, parts)))
        parts += 1;
      this.#short.set(file, end(file, parts));
    }
  }

  /** A place, such as `pteMap.ts:99`. */
  place({ file, line }: Position): string {
    return `${this.#short.get(file) ?? file}:${line}`;
  }

  /** Paths of the files that are called by another name, in order. */
  shortened(): string[] {
    return [...this.#short].flatMap(([file, short]) => (file === short ? [] : [file]));
  }
}
