/** Numbers and durations as reports print them. */

const GROUPS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** An integer with thousands separators: 102604 is `102,604`. */
export function formatCount(value: number): string {
  return Number.isFinite(value) ? GROUPS.format(Math.round(value)) : '-';
}

/** A rate or a large count with three digits and a decimal unit: 412345 is `412 k`. */
export function formatSi(value: number): string {
  if (!Number.isFinite(value)) return '-';
  let scaled = value;
  for (const unit of ['', ' k', ' M', ' G']) {
    if (Math.abs(scaled) < 999.5 || unit === ' G') {
      return `${unit === '' ? String(Math.round(scaled)) : scaled.toPrecision(3)}${unit}`;
    }
    scaled /= 1000;
  }
  return String(value);
}

/** A duration in milliseconds: `840 ms`, `12.3 s`, `2 min 05 s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  if (durationMs < 99_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** A share from 0 to 1 as per cent with one decimal; `-` when it is not a number. */
export function formatShare(share: number): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(1)} %` : '-';
}

/** A word of the shared memory as reports name it: 0x with at least eight digits. */
export function formatAddress(address: number): string {
  return `0x${Math.trunc(address).toString(16).padStart(8, '0')}`;
}

/** `1 page`, `2 pages`. */
export function formatPlural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
