/**
 * Pseudo-random numbers (Marsaglia, "Xorshift RNGs", 2003; shifts 13, 17, 5). A pure function: whoever draws keeps the
 * state.
 */

/**
 * The state after `state`, which is the number drawn. 0 is followed by 0; from any other state all others come, once
 * each.
 */
export function xorshift(state: u32): u32 {
  let x = state;
  x = (x ^ (x << 13)) >>> 0;
  x = (x ^ (x >>> 17)) >>> 0;
  return (x ^ (x << 5)) >>> 0;
}
