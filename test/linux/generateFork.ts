/**
 * Scripts of several processes: the lines of a script of another profile, done by a process of a changing few. Forks
 * come at any time after a beginning that process 0 has for itself, whoever forks; many a line is done by others as
 * well, so that the same pages are written, given up, protected and moved on both sides of a fork; processes exit while
 * those that share their pages go on.
 */
import { createRandom } from './random.ts';
import type { Random } from './random.ts';

const LIVE_AT_ONCE = 4;
const PROCESSES_IN_ALL = 8;

class ForkWriter {
  readonly #lines: string[] = [];
  readonly #random: Random;
  readonly #live = [0];
  #count = 1;

  constructor(seed: number) {
    this.#random = createRandom(seed ^ 0x2c1b3c6d);
  }

  #emit(process: number, line: string): void {
    this.#lines.push(process === 0 ? line : `@${process} ${line}`);
  }

  #fork(): void {
    this.#emit(this.#random.pick(this.#live), 'fork');
    this.#live.push(this.#count++);
  }

  #exit(): void {
    const [process] = this.#live.splice(this.#random.below(this.#live.length), 1);
    this.#emit(process!, 'exit');
  }

  write(lines: readonly string[]): string {
    const random = this.#random;
    const alone = 3 + random.below(lines.length / 2);
    let current = 0;
    for (const [index, line] of lines.entries()) {
      const room = this.#live.length < LIVE_AT_ONCE && this.#count < PROCESSES_IN_ALL;
      if (room && (index === alone || (index > alone && random.chance(0.12)))) this.#fork();
      if (this.#live.length > 1 && random.chance(0.05)) this.#exit();
      if (!this.#live.includes(current) || random.chance(0.4)) current = random.pick(this.#live);
      this.#emit(current, line);
      if (!random.chance(0.35)) continue;
      for (const other of this.#live)
        if (other !== current && random.chance(0.6)) this.#emit(other, line);
    }
    return `${this.#lines.join('\n')}\n`;
  }
}

/** `script`, one operation a line, done by several processes as belongs to `seed`. */
export function generateFork(seed: number, script: string): string {
  return new ForkWriter(seed).write(script.trimEnd().split('\n'));
}
