/**
 * The same measurements under another Node. The bench forks this file with that Node's binary and asks it for one
 * round at a time, so that its rounds take their turn with everybody else's.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Measurement, type OpenSuite, type Unit, openSuite } from './measurement.ts';
import { suites } from './suite/index.ts';

/** Asks the guest to open its suite; `round` asks for one round of its nth measurement. */
type Question =
  { open: string; roundMs: number; quick: boolean } | { round: number } | { close: true };

type Answer =
  | { names: { name: string; unit: Unit }[]; version: string }
  | { value: number }
  | { closed: true }
  | { error: string };

async function ask(guest: ChildProcess, question: Question): Promise<Answer> {
  const gone = new AbortController();
  const died = once(guest, 'exit', { signal: gone.signal }).then(([code, killedBy]): Answer => ({
    error: `the process ended (${code ?? killedBy})`,
  }));
  const answered = once(guest, 'message', { signal: gone.signal }).then(
    ([answer]) => answer as Answer,
  );
  answered.catch(() => {});
  died.catch(() => {});
  if (guest.exitCode !== null) throw new Error(`the process ended (${guest.exitCode})`);
  guest.send(question);
  try {
    const answer = await Promise.race([answered, died]);
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  } finally {
    gone.abort();
  }
}

/** Opens `suite` under the Node binary `nodePath`; names are followed by its version. */
export async function openGuest(
  suite: string,
  nodePath: string,
  setting: { roundMs: number; quick: boolean },
): Promise<OpenSuite> {
  const guest = fork(fileURLToPath(import.meta.url), ['--guest'], {
    execPath: nodePath,
    execArgv: [],
  });
  await Promise.race([
    once(guest, 'spawn'),
    once(guest, 'error').then(([error]) => Promise.reject(error as Error)),
  ]);
  const answer = await ask(guest, { open: suite, ...setting });
  if (!('names' in answer)) throw new Error(`${nodePath}: not the answer to open`);
  const measurements = answer.names.map(({ name, unit }, round): Measurement => ({
    name: `${name} (${answer.version})`,
    unit,
    runRound: async () => {
      const reply = await ask(guest, { round });
      if (!('value' in reply)) throw new Error(`${nodePath}: not the answer to a round`);
      return reply.value;
    },
  }));
  return openSuite(measurements, async () => {
    if (guest.exitCode !== null) return;
    const exit = once(guest, 'exit');
    guest.send({ close: true } satisfies Question);
    await exit;
  });
}

function serve(): void {
  let open: OpenSuite | undefined;

  const reply = async (question: Question): Promise<Answer> => {
    if ('open' in question) {
      const suite = suites.find(({ name }) => name === question.open);
      if (!suite) return { error: `no suite '${question.open}'` };
      open = await suite.open({ peers: null, roundMs: question.roundMs, quick: question.quick });
      const names = open.measurements.map(({ name, unit }) => ({ name, unit }));
      return { names, version: process.version };
    }
    if ('round' in question) {
      const measurement = open?.measurements[question.round];
      if (!measurement) return { error: `no measurement ${question.round}` };
      return { value: await measurement.runRound() };
    }
    await open?.[Symbol.asyncDispose]();
    return { closed: true };
  };

  process.on('message', async (question: Question) => {
    const answer = await reply(question).catch((error: unknown): Answer => ({
      error: error instanceof Error ? error.message : String(error),
    }));
    process.send?.(answer, () => {
      if ('closed' in answer) process.disconnect();
    });
  });
}

if (process.argv[2] === '--guest' && process.send) serve();
