import { describe, expect, test } from 'vitest';
import { exploreDpor } from '../../src/explore/strategies/dpor.ts';
import { explainFailure } from '../../src/explore/failure/explain.ts';
import { findAgain } from '../../src/explore/failure/findAgain.ts';
import { replayFile } from '../../src/explore/failure/replayFile.ts';
import {
  formatScheduleFile,
  parseScheduleFile,
  ScheduleFileError,
} from '../../src/explore/failure/scheduleFile.ts';
import type { Patch } from '../../src/explore/link/coroutine.ts';
import { C_RCU_NESTING, HOST_DEATH_EXIT } from '../../src/kernel/abi.ts';
import { DepartureError } from '../../src/explore/replay.ts';
import { openScenario, type ScenarioRequest } from '../../src/explore/scenario.ts';

const REQUEST: ScenarioRequest = { scenario: 'zapWalk', machine: { free: 'immediate' } };

const fileOf = (request: ScenarioRequest) => {
  const scenario = openScenario(request);
  const { verdict } = exploreDpor(scenario.make, { maxExecutions: 10_000, maxMs: 60_000 });
  return explainFailure(scenario, verdict, { turningPoint: false }).file;
};

const file = fileOf(REQUEST);

describe('a schedule file', () => {
  test('is read as it was written, a line for each step', () => {
    const text = formatScheduleFile(file);
    expect(parseScheduleFile(text)).toEqual(JSON.parse(JSON.stringify(file)));
    const lines = text.split('\n').filter((line) => line.startsWith('    ['));
    expect(lines).toHaveLength(file.steps.length);
    expect(text).toMatch(
      /\[1,"load","pteOffsetMap","kernel\/tables\/pteMap\.ts:\d+","PMD entry 0 of table 3",/,
    );
  });

  test('replays to the same failure', () => {
    const { same, verdict } = replayFile(parseScheduleFile(formatScheduleFile(file)));
    expect(verdict?.kind).toBe('violation');
    expect(same).toBe(true);
  });

  test('keeps the choices', () => {
    const dying = fileOf({ scenario: 'spinlock', choices: { death: 1 } });
    expect(dying.steps.some(([, , , , , , , choice]) => choice === 1)).toBe(true);
    expect(replayFile(dying).same).toBe(true);
  });

  test.each([
    ['{', /no JSON/],
    ['[]', /schedule file: \[\]; allowed: an object/],
    [{ ptlabSchedule: 2 }, /ptlabSchedule: 2; allowed: 1/],
    [{ request: { scenario: 3 } }, /request\.scenario: 3; allowed: a name or a path/],
    [{ failure: { ...file.failure, kind: 'bad' } }, /failure\.kind: "bad"; allowed: violation, /],
    [{ steps: [[0]] }, /steps\[0\]: \[0\]; allowed: \[cpu, operation/],
    [{ steps: [[31, '', '', '', '', 0, 0]] }, /steps\[0\], CPU: 31; allowed: 0 to 30/],
    [{ steps: [[0, '', 7, '', '', 0, 0]] }, /steps\[0\], function: 7; allowed: a text/],
    [{ steps: [[0, '', '', '', '', 0, -1]] }, /value after: -1; allowed: 0 to 4294967295/],
  ])('refused: %j', (change, message) => {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...file, ...change });
    expect(() => parseScheduleFile(text)).toThrow(ScheduleFileError);
    expect(() => parseScheduleFile(text)).toThrow(message);
  });
});

describe('a program that has changed', () => {
  const changed = (patch: Patch) => openScenario({ ...file.request, patch });
  const departure = (patch: Patch): DepartureError => {
    try {
      replayFile(file, changed(patch));
    } catch (error) {
      if (error instanceof DepartureError) return error;
      throw error;
    }
    throw new Error('it does not depart');
  };
  const PMD = file.steps.findIndex(
    ([cpu, , name, , word]) => cpu === 1 && name === 'pteOffsetMap' && word.startsWith('PMD entry'),
  );

  test('lines that moved do not matter', () => {
    const moved = changed({
      module: 'pteMap',
      find: 'rcuReadLock(); const value = load(pmd); if (!entryNamesTable(value) || !getMapped(pmd, value)) { rcuReadUnlock(); return 0; } return pteOffset(value, vpn);',
      replace:
        '\n\n\nrcuReadLock(); const value = load(pmd); if (!entryNamesTable(value) || !getMapped(pmd, value)) { rcuReadUnlock(); return 0; } return pteOffset(value, vpn);',
    });
    expect(replayFile(file, moved).same).toBe(true);
  });

  test('an operation more: where, what was to be done, and what is now', () => {
    const {
      step,
      departure: told,
      message,
    } = departure({
      module: 'walkers',
      find: 'const pte = pteOffsetMap(pmd, vpn);',
      replace: 'load(pmd + 4); const pte = pteOffsetMap(pmd, vpn);',
    });
    expect(step).toBe(PMD);
    expect(told?.cpu).toBe(1);
    expect(message).toMatch(
      /CPU 1 was to load PMD entry 0 of table 3 in pteOffsetMap \(kernel\/tables\/pteMap\.ts:\d+\); it is now about to load PMD entry 1 of table 3 in walkLockless/,
    );
  });

  test('an operation less', () => {
    const { step, message } = departure({
      module: 'table',
      find: 'add(G_TABLES_HELD, 1);',
      replace: '',
    });
    expect(file.steps[step]![4]).toBe('G_TABLES_HELD');
    expect(message).toMatch(
      /CPU 0 was to add G_TABLES_HELD in tableDetach .*; it is now about to /,
    );
  });

  test('the failure is found again, and its new schedule replays', () => {
    const more = changed({
      module: 'walkers',
      find: 'const pte = pteOffsetMap(pmd, vpn);',
      replace: 'load(pmd + 4); const pte = pteOffsetMap(pmd, vpn);',
    });
    const again = findAgain(file, more);
    expect(again?.steps.length).toBeGreaterThan(0);
    expect(replayFile(again!, more).same).toBe(true);
  });

  test('a failure that is gone is not found again', () => {
    expect(findAgain(file, openScenario({ scenario: 'zapWalk' }))).toBeNull();
  });

  test('a CPU that ends early', () => {
    const { message } = departure({
      module: 'irq',
      find: 'if (load(cpu + C_IPI_REQ) !== peek(cpu + C_IPI_ACK)) {',
      replace: `if (cpuId() === 1 && peek(cpu + ${C_RCU_NESTING}) !== 0) endCpu(${HOST_DEATH_EXIT}, 0);
    if (load(cpu + C_IPI_REQ) !== peek(cpu + C_IPI_ACK)) {`,
    });
    expect(message).toMatch(/CPU 1 was to load .*; it has died/);
  });
});
