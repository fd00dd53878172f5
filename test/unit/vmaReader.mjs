/**
 * A CPU that locks VMAs without mmap_lock while another one changes them, and compares what it holds. Runs the built
 * kernel.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { buffer, cpu, mm, stopWord, pages, kernelUrl } = workerData;
const load = async (file) => import(new URL(file, kernelUrl).href);
const layout = await load('word/layout.js');
const word = await load('word/word.js');
const { setThisCpu } = await load('word/percpu.js');
const rcu = await load('rcu/rcu.js');
const { lockVmaUnderRcu, vmaReadUnlock } = await load('space/vmaLock.js');

word.attachMemory(buffer, {
  clockNs: () => Number(process.hrtime.bigint() & 0xffffffffn),
  end: (reason, detail) => {
    throw new Error(`CPU ${cpu} ended: reason ${reason}, detail 0x${detail.toString(16)}`);
  },
});
const words = new Uint32Array(buffer);
setThisCpu(cpu);
rcu.rcuIdleExit();

let hits = 0;
let misses = 0;
const faults = [];
let random = cpu * 7919 + 1;
parentPort.postMessage('ready');
while (Atomics.load(words, stopWord) === 0 && faults.length === 0) {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  const vpn = (random >>> 8) % pages;
  const vma = lockVmaUnderRcu(mm, vpn);
  if (vma === 0) misses += 1;
  else {
    hits += 1;
    const before = snapshot(vma);
    for (let spin = random & 63; spin > 0; spin -= 1) word.load(vma + layout.VMA_REF);
    const after = snapshot(vma);
    const [start, end, , pgoff, generation, owner] = before;
    if (vpn < start || vpn >= end) faults.push(`page ${vpn} is not in ${start}-${end}`);
    if (pgoff !== start) faults.push(`page offset ${pgoff} of ${start}-${end}`);
    if (generation % 2 !== 1 || owner !== mm) faults.push(`free: ${generation}, ${owner}`);
    if (before.join() !== after.join()) faults.push(`${before} became ${after}`);
    vmaReadUnlock(vma);
  }
  rcu.rcuQuiescentState();
}
rcu.rcuIdleEnter();
parentPort.postMessage({ hits, misses, faults });

function snapshot(vma) {
  return [
    layout.VMA_START,
    layout.VMA_END,
    layout.VMA_FLAGS,
    layout.VMA_PGOFF,
    layout.VMA_GEN,
    layout.VMA_MM,
  ].map((field) => word.load(vma + field));
}
