/**
 * What of a document a program makes. In Markdown it reads
 *
 *     <!-- made by: COMMAND -->         the output of a command, or what a maker of makers.ts writes; the tests make it
 *                                       again
 *     <!-- measured by: COMMAND -->     likewise, but of this machine and minute: made again on demand only, and signed
 *     140<!-- mutants -->               a figure of figures.ts, or a number up to twelve in words, in front of its name
 *
 * where a block ends at the next `<!-- end -->`.
 */

export interface Block {
  kind: 'made' | 'measured';
  command: string;
  body: string;
}

const BLOCK = /(^<!-- (made|measured) by: ([^\n]+?) -->\n\n)(.*?)(\n\n<!-- end -->$)/gms;
const FIGURE = /([\w,.]*\w)<!-- ([\w-]+) -->/g;
const WORDS = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');

/** The blocks of a document, from top to bottom. */
export function blocksOf(text: string): Block[] {
  return Array.from(text.matchAll(BLOCK), ([, , kind, command, body]) => ({
    kind: kind as Block['kind'],
    command: command!,
    body: body!,
  }));
}

/** The document with bodies that `bodyOf` gives; null leaves a body as it is. */
export async function withBodies(
  text: string,
  bodyOf: (block: Block) => Promise<string | null>,
): Promise<string> {
  const bodies: string[] = [];
  for (const block of blocksOf(text)) bodies.push((await bodyOf(block)) ?? block.body);
  return text.replace(
    BLOCK,
    (_, begin: string, _kind, _command, _body, end: string) => `${begin}${bodies.shift()}${end}`,
  );
}

function written(value: string, before: string): string {
  return /^[a-z]+$/.test(before) ? (WORDS[Number(value)] ?? value) : value;
}

/** The document with the figures of today. Throws on a name that `figures` does not have. */
export function withFigures(text: string, figures: Readonly<Record<string, string>>): string {
  return text.replace(FIGURE, (_, before: string, name: string) => {
    const value = figures[name];
    if (value === undefined)
      throw new Error(`figure "${name}"; allowed: ${Object.keys(figures).join(', ')}`);
    return `${written(value, before)}<!-- ${name} -->`;
  });
}

/** A body without what differs from run to run: durations, and rates. */
export function lasting(body: string): string {
  return body.replace(/\b[\d,.]+ (?:ns|us|ms|s|min|M|k)\b(?:\/s)?/g, '#');
}

/** Kernel that a measured body was signed with (`signature`), or null. */
export function kernelOf(body: string): string | null {
  return /\bkernel ([0-9a-f]{12})\.$/.exec(body)?.[1] ?? null;
}
