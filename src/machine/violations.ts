/** Violations, as CPUs record them in shared memory (`violation` in src/kernel/observe/report.ts). */
import * as layout from '../kernel/abi.ts';
import { describeAddress } from './addresses.ts';
import { OPERATION_NAMES } from './codes.ts';
import { oracleName, type OracleName } from './oracles.ts';

/** One violation seen by one CPU. */
export interface Violation {
  oracle: OracleName;
  cpu: number;
  /** Operation under way, such as `madvise`, and its first two arguments: for most an mm and a page number. */
  operation: string;
  operationArguments: [number, number];
  /** Three words of the reporter's: as a rule what was concerned, and what was found there. */
  details: [number, number, number];
  /** Machine clock, nanoseconds modulo 2^32. */
  clockNs: number;
  /** One line. */
  message: string;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** All records, CPU by CPU, oldest first. A CPU that has seen more than it keeps has its newest as the last. */
export function readViolations(words: Uint32Array): Violation[] {
  const load = (address: number): number => Atomics.load(words, address >>> 2);
  const violations: Violation[] = [];
  for (let cpu = 0; cpu < load(layout.H_CPUS); cpu++) {
    const area = layout.cpuArea(cpu);
    const records = Math.min(load(area + layout.C_VIOLATIONS), layout.VIOLATION_RECORDS);
    for (let i = 0; i < records; i++) {
      const at = area + layout.C_VIOLATION + i * 32;
      const operation = OPERATION_NAMES.get(load(at + 4)) ?? 'unknown';
      const operationArguments: [number, number] = [load(at + 8), load(at + 12)];
      const details: [number, number, number] = [load(at + 16), load(at + 20), load(at + 24)];
      const oracle = oracleName(load(at));
      violations.push({
        oracle,
        cpu,
        operation,
        operationArguments,
        details,
        clockNs: load(at + 28),
        message: `${oracle}: CPU ${cpu}${operation === 'none' ? '' : ` in ${operation}(${operationArguments.map(hex).join(', ')})`}: ${describeDetails(words, oracle, details)}`,
      });
    }
  }
  return violations;
}

/** Oracles whose first detail is an address; the first of others is a page, table or frame number. */
const ADDRESSED: readonly OracleName[] = ['grace-period', 'lock-order', 'no-progress'];

function describeDetails(
  words: Uint32Array,
  oracle: OracleName,
  details: [number, number, number],
): string {
  const place = ADDRESSED.includes(oracle) ? describeAddress(words, details[0]) : null;
  const list = details.map(hex).join(', ');
  return place === null ? list : `${place}: ${list}`;
}
