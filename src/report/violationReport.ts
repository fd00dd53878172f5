import type { AuditReport } from '../machine/audit/index.ts';
import type { Violation } from '../machine/violations.ts';
import { formatAddress, formatCount } from './format.ts';

const SHOWN = 8;

function words(values: readonly number[]): string {
  return values.map(formatAddress).join(', ');
}

/**
 * What was wrong, one block a violation: oracle, CPU, operation, addresses; then how to run it again. Empty when
 * nothing was. What the audit found stands in its own lines (`checksLines`); here it only asks for the last line.
 */
export function violationsReport(
  violations: readonly Violation[],
  audit: AuditReport | null,
  rerun: string,
): string[] {
  if (violationCount(violations, audit) === 0) return [];
  const lines: string[] = [];
  for (const violation of violations.slice(0, SHOWN)) {
    const { oracle, cpu, operation, operationArguments, details, message } = violation;
    lines.push(
      `VIOLATION ${oracle}`,
      `  CPU ${cpu} in ${operation}(${words(operationArguments)})`,
      `  found ${words(details)}`,
      `  ${message}`,
    );
  }
  if (violations.length > SHOWN) lines.push(`and ${formatCount(violations.length - SHOWN)} more`);
  lines.push('run it again:', `  ${rerun}`, '');
  return lines;
}

/** How many things were wrong: violations that CPUs saw, and what the audit found. */
export function violationCount(
  violations: readonly Violation[],
  audit: AuditReport | null,
): number {
  return violations.length + (audit?.findingsTotal ?? 0);
}
