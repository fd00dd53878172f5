/**
 * Draws a failure as changelogs of Linux draw races: a column for each CPU, time downwards, functions once with what
 * they did below them, values, file and line. What concerns all CPUs runs across.
 */

import type { ExplainedFailure } from './explain.ts';
import { FileNames } from './fileNames.ts';
import { functionTree, type Entered } from './functionTree.ts';
import type { Wait } from './waits.ts';

const WIDTH_MIN = 40;
const GAP = 2;
/** Columns that are left to a text however deep it stands. */
const WORD_ROOM = 12;

/**
 * Breaks a text at spaces so that no line is longer than `width`; lines after the first are indented by `hang` more. A
 * word that is longer is cut; a text that stands too deep is moved out.
 */
export function wrap(text: string, width: number, depth = 0, hang = 2): string[] {
  const indent = Math.max(0, Math.min(depth, width - hang - WORD_ROOM));
  const room = Math.max(1, width - indent - hang);
  const words = text
    .split(' ')
    .flatMap((word) => word.match(new RegExp(`.{1,${room}}`, 'g')) ?? []);
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const before = lines.length === 0 ? indent : indent + hang;
    if (line !== '' && before + line.length + 1 + word.length > width) {
      lines.push(' '.repeat(before) + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(' '.repeat(lines.length === 0 ? indent : indent + hang) + line);
  return lines;
}

/** Functions entered, on one line: when there are too many, the first and the last of them. */
function functionLine({ depth, functions }: Entered, width: number): string[] {
  const names = functions.map((name) => `${name}()`);
  const shortened = [
    names,
    ...[3, 2, 1].map((left) => [names[0]!, '..', ...names.slice(-left)]),
    ['..', names.at(-1)!],
  ];
  const fitting = shortened
    .filter((list, at) => at === 0 || list.length <= names.length)
    .map((list) => list.join(' > '))
    .find((text) => depth + text.length <= width);
  return wrap(fitting ?? names.at(-1)!, width, depth);
}

interface Block {
  step: number;
  cpu: number;
  lines: string[];
}

/** What stands in one CPU's column, a block for each of its steps and events. */
function blocksOf(
  failure: ExplainedFailure,
  files: FileNames,
  cpu: number,
  width: number,
): Block[] {
  const steps = failure.steps.filter((step) => step.cpu === cpu);
  const tree = functionTree(steps.map(({ path }) => path));
  const depthAt = (step: number): number => {
    const before = steps.findLastIndex((one) => one.step <= step);
    return before < 0 ? 0 : tree[before]!.depth;
  };
  const blocks = steps.map((step, at): Block => {
    const { entered, depth } = tree[at]!;
    return {
      step: step.step,
      cpu,
      lines: [
        ...entered.flatMap((group) => functionLine(group, width)),
        ...wrap(`${step.text}  [${files.place(step)}]`, width, depth),
      ],
    };
  });
  for (const event of failure.events)
    if (event.cpu === cpu)
      blocks.push({
        step: event.step + 0.5,
        cpu,
        lines: wrap(`* ${event.text}`, width, depthAt(event.step)),
      });
  return blocks;
}

/** A line across, with a text in it. */
function ruler(text: string, width: number): string[] {
  const side = Math.floor((width - text.length - 2) / 2);
  return side < 2
    ? wrap(`-- ${text}`, width, 0, 3)
    : [`${'-'.repeat(side)} ${text} ${'-'.repeat(side)}`];
}

function waitText(wait: Wait, files: FileNames): string {
  const where = `CPU ${wait.cpu} waits in ${wait.path.slice(-3).join(' > ')} (${files.place(wait)})`;
  const what = `for ${wait.word} to be ${wait.condition}; it is ${wait.value}`;
  if (wait.on === null) return `${where} ${what}; no CPU has written it`;
  const who = wait.on === wait.cpu ? 'itself' : `CPU ${wait.on}`;
  const states = {
    died: 'which has died',
    ended: 'which has ended',
    waits: 'which waits, too',
    'could go on': 'which could go on',
  };
  const because = {
    'holds it': `held by ${who}`,
    'owns it': `a word of ${who}`,
    'wrote it last': `written last by ${who}`,
    'nobody wrote it': `of ${who}`,
  }[wait.because];
  const state = wait.state === null || wait.on === wait.cpu ? '' : `, ${states[wait.state]}`;
  return `${where} ${what}; ${because}${state}`;
}

function pointLine({ turningPoint, stepsTotal }: ExplainedFailure): string | null {
  if (turningPoint === null) return null;
  const { steps, exact } = turningPoint;
  const known = exact ? '' : ', as far as was searched';
  if (steps < 0) return `every schedule fails${known}`;
  return `from here on every schedule fails${known} (step ${steps + 1} of ${stepsTotal})`;
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function footLines(failure: ExplainedFailure, files: FileNames): string[] {
  const { kind, message } = failure.failure;
  const { preemptions, all } = failure.switches;
  const lines = [
    `${kind.toUpperCase()}: ${message}`,
    ...failure.waits.map((wait) => waitText(wait, files)),
  ];
  const fewest = failure.shrinking?.fewest === true ? ', the fewest possible' : '';
  lines.push(
    `${plural(failure.stepsTotal, 'step')}, ${failure.steps.length} of them shown; ` +
      `${plural(all, 'context switch').replace(/hs$/, 'hes')}, ${plural(preemptions, 'preemption')} among them${fewest}`,
  );
  if (failure.passing !== null) {
    const { reversals } = failure.turningPoint!;
    const differs =
      reversals === 0 ? '' : `, with ${plural(reversals, 'pair')} of steps in another order`;
    lines.push(`nearest schedule that passes${differs}: ${failure.passing}`);
  }
  const paths = files.shortened();
  if (paths.length > 0) lines.push(`files: ${paths.join(', ')}`);
  return lines;
}

/** Draws a failure in lines of at most `width` columns (at least 40; 80 to 160 look well). */
export function renderFailure(failure: ExplainedFailure, width = 80): string[] {
  const whole = Math.max(WIDTH_MIN, width);
  const cpus = failure.columns
    .map((_, cpu) => cpu)
    .filter(
      (cpu) =>
        failure.file.steps.some((step) => step[0] === cpu) ||
        failure.waits.some((wait) => wait.cpu === cpu),
    );
  const shown = cpus.length === 0 ? [0] : cpus;
  const column = Math.floor((whole - GAP * (shown.length - 1)) / shown.length);
  const row = (cpu: number, text: string): string =>
    ' '.repeat(shown.indexOf(cpu) * (column + GAP)) + text;
  const across = (texts: readonly string[]): string =>
    texts
      .map((text) => text.slice(0, column).padEnd(column + GAP))
      .join('')
      .trimEnd();

  const files = new FileNames([...failure.steps, ...failure.waits].map(({ file }) => file));
  const point = pointLine(failure);
  const turn = failure.turningPoint?.steps ?? -1;
  const lines = [
    across(shown.map((cpu) => `CPU${cpu} ${failure.columns[cpu]}`)),
    across(shown.map(() => '='.repeat(column))),
  ];
  if (point !== null && turn < 0) lines.push(...ruler(point, whole));
  const blocks = shown.flatMap((cpu) => blocksOf(failure, files, cpu, column));
  for (const { step, cpu, lines: text } of blocks.toSorted((a, b) => a.step - b.step)) {
    if (point !== null && step === turn) lines.push(...ruler(point, whole));
    lines.push(...text.map((line) => row(cpu, line)));
    if (failure.decides?.step === step)
      lines.push(...wrap(`<-- ${failure.decides.text}`, whole, 0, 4));
  }
  lines.push('', ...footLines(failure, files).flatMap((text) => wrap(text, whole)));
  return lines;
}
