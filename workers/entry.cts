/**
 * What Piscina's threads load: tasks name a function here, not a file. It is CommonJS because Piscina tries require()
 * first, and Node 20 aborts the whole process when a thread is terminated while require() links an ES module, as when a
 * machine or a search ends before its threads have started (src/node/module_wrap.cc, InstantiateSync: IsGraphAsync of a
 * module that is not instantiated). import() may be terminated at any time.
 */

module.exports = {
  /** A CPU of a machine. */
  cpu: async (task: import('../src/machine/cpu.ts').CpuTask) =>
    (await import('./cpu.ts')).default(task),

  /** Parts of a search. */
  explore: async (job: import('../src/explore/parallel/pool.ts').Job) =>
    (await import('./explore.ts')).default(job),

  /** A search that is not split. */
  whole: async (job: import('../src/explore/parallel/whole.ts').WholeJob) =>
    (await import('./explore.ts')).whole(job),

  /** How much a bounded search covered. */
  cover: async (job: import('../src/explore/parallel/whole.ts').CoverJob) =>
    (await import('./explore.ts')).cover(job),

  /** A failure explained. */
  explain: async (job: import('../src/explore/parallel/whole.ts').ExplainJob) =>
    (await import('./explore.ts')).explain(job),

  /** A CPU of a schedule that is replayed on threads. */
  replay: async (task: import('../src/explore/threads/replayTask.ts').ReplayTask) =>
    (await import('./replay.ts')).default(task),
};
