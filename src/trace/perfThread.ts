/** What is known of the threads and forks of a recorded process while its events are read. */

/** A thread as it is read. */
export interface ThreadState {
  tid: number;
  /** CPU number, or -1 before the thread's first operation. */
  cpu: number;
  commStart: number;
  commEnd: number;
  lastS: number;
  /** Call in progress as an index into CALLS, or -1. */
  pending: number;
  args: Float64Array;
  /** Record reserved for the call in progress, or -1. */
  reserved: number;
  /** Writes of the kernel since the thread's last event of another kind: address, time, comm from, to. */
  kernelRun: number[];
  exited: boolean;
}

/** A fork that a process did, of a thread or of a process. */
export interface Fork {
  child: number;
  thread: ThreadState;
  timeS: number;
}

/** What a process did before its first exec. */
export interface UntilExec {
  records: Float64Array;
  count: number;
  threads: ThreadState[];
  forks: Fork[];
  events: number;
  timeS: number;
}

/** Things left out of a process's list, by reason. */
export interface LeftOut {
  failedCalls: number;
  unpairedCalls: number;
  otherAdvice: number;
  kernelAddresses: number;
  lowFaults: number;
}

/** A thread of which nothing has been read yet. */
export function createThread(tid: number): ThreadState {
  return {
    tid,
    cpu: -1,
    commStart: 0,
    commEnd: 0,
    lastS: -Infinity,
    pending: -1,
    args: new Float64Array(6),
    reserved: -1,
    kernelRun: [],
    exited: false,
  };
}

/** Nothing left out so far. */
export function noneLeftOut(): LeftOut {
  return {
    failedCalls: 0,
    unpairedCalls: 0,
    otherAdvice: 0,
    kernelAddresses: 0,
    lowFaults: 0,
  };
}
