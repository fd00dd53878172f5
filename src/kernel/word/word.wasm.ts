/**
 * Words of the shared memory, WebAssembly execution: the twin of `word.ts`, where the contracts stand.
 */

@external("host", "clockNs")
declare function hostClockNs(): u32;

@external("host", "end")
declare function hostEnd(reason: u32, detail: u32): void;

function loadWord(address: u32): u32 {
  return atomic.load<u32>(address);
}

function storeWord(address: u32, value: u32): void {
  atomic.store<u32>(address, value);
}

export { loadWord as load, storeWord as store };

export function exchange(address: u32, value: u32): u32 {
  return atomic.xchg<u32>(address, value);
}

export function compareExchange(address: u32, expected: u32, value: u32): u32 {
  return atomic.cmpxchg<u32>(address, expected, value);
}

export function add(address: u32, value: u32): u32 {
  return atomic.add<u32>(address, value);
}

export function sub(address: u32, value: u32): u32 {
  return atomic.sub<u32>(address, value);
}

export function or(address: u32, value: u32): u32 {
  return atomic.or<u32>(address, value);
}

export function and(address: u32, value: u32): u32 {
  return atomic.and<u32>(address, value);
}

export function peek(address: u32): u32 {
  return load<u32>(address);
}

export function poke(address: u32, value: u32): void {
  store<u32>(address, value);
}

const PARK_NS: i64 = 100000;

export function parkOn(address: u32, value: u32): void {
  atomic.wait<i32>(address, value as i32, PARK_NS);
}

export function notify(address: u32, count: u32): u32 {
  return atomic.notify(address, count as i32);
}

export function clockNs(): u32 {
  return hostClockNs();
}

export function endCpu(reason: u32, detail: u32): void {
  hostEnd(reason, detail);
}

export function fillWords(address: u32, count: u32, value: u32): void {
  const end = address + (count << 2);
  for (let at = address; at !== end; at += 4) store<u32>(at, value);
}
