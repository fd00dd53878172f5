/**
 * Progress on a stream: on a terminal one block, redrawn in place; elsewhere a line every `lineEveryMs`; nothing when
 * quiet. The caller calls `update` as often as it likes and `clear` before it prints anything else to the same screen.
 */
import { clearScreenDown, moveCursor } from 'node:readline';
import { cutLine } from './table.ts';

/** What progress needs of a stream; process.stderr is one. */
export interface ProgressStream extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export interface ProgressView {
  /** The block, one string a line, for a terminal of so many columns. */
  block(columns: number): string[];
  /** The same in one line. */
  line(): string;
}

interface ProgressOptions {
  quiet?: boolean;
  /** Shortest time between two drawings of the block. */
  blockEveryMs?: number;
  lineEveryMs?: number;
  /** Milliseconds of a monotonic clock. */
  nowMs?: () => number;
}

export class Progress {
  readonly #stream: ProgressStream;
  readonly #quiet: boolean;
  readonly #everyMs: number;
  readonly #nowMs: () => number;
  #lastMs: number;
  #drawn = 0;
  #hidden = false;

  constructor(stream: ProgressStream, options: ProgressOptions = {}) {
    const { quiet = false, blockEveryMs = 100, lineEveryMs = 15_000 } = options;
    this.#stream = stream;
    this.#quiet = quiet;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#everyMs = stream.isTTY === true ? blockEveryMs : lineEveryMs;
    this.#lastMs = stream.isTTY === true ? -Infinity : this.#nowMs();
  }

  /** Whether an update now would show something: the view need not be built otherwise. */
  get due(): boolean {
    return !this.#quiet && this.#nowMs() - this.#lastMs >= this.#everyMs;
  }

  update(view: ProgressView): void {
    if (!this.due) return;
    this.#lastMs = this.#nowMs();
    if (this.#stream.isTTY !== true) {
      this.#stream.write(`${view.line()}\n`);
      return;
    }
    const columns = this.#stream.columns || 80;
    const lines = view.block(columns).slice(0, Math.max(1, (this.#stream.rows || 24) - 1));
    this.#erase();
    if (!this.#hidden) this.#stream.write('\u001b[?25l');
    this.#hidden = true;
    this.#stream.write(lines.map((text) => `${cutLine(text, columns)}\n`).join(''));
    this.#drawn = lines.length;
  }

  /** Takes the block off the screen and shows the cursor again. May be called more than once. */
  clear(): void {
    this.#erase();
    if (this.#hidden) this.#stream.write('\u001b[?25h');
    this.#hidden = false;
  }

  #erase(): void {
    if (this.#drawn === 0) return;
    moveCursor(this.#stream, 0, -this.#drawn);
    clearScreenDown(this.#stream);
    this.#drawn = 0;
  }
}
