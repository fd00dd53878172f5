import { EXIT_INTERRUPTED } from './exit.ts';

/** Why a run is to end before its time. */
export type StopReason = 'interrupted' | 'time out';

/** Ctrl-C and time limits of one command, as one abort signal. */
export interface Stopper {
  readonly signal: AbortSignal;
  /** Why the signal was raised, or null. */
  readonly reason: StopReason | null;
  /** Gives Ctrl-C its usual meaning back and forgets the time limit. */
  [Symbol.dispose](): void;
}

/**
 * Raises a signal at SIGINT or SIGTERM, so that the command can print what it has, or after `timeoutS` seconds; a
 * second SIGINT or SIGTERM ends the process at once.
 */
export function stopper(timeoutS?: number): Stopper {
  const controller = new AbortController();
  let reason: StopReason | null = null;
  const stop = (why: StopReason): void => {
    reason ??= why;
    controller.abort();
  };
  const onSignal = (): void => {
    if (reason === 'interrupted') process.exit(EXIT_INTERRUPTED);
    stop('interrupted');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const timer =
    timeoutS === undefined ? undefined : setTimeout(() => stop('time out'), timeoutS * 1000);
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    [Symbol.dispose]() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      clearTimeout(timer);
    },
  };
}
