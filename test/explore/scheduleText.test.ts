import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatSchedule, parseSchedule, ScheduleError } from '../../src/explore/scheduleText.ts';

test('a schedule in one line', () => {
  expect(formatSchedule([0, 0, 0, 1, [0, 1], [0, 1], 2])).toBe('0*3,1,0:1*2,2');
  expect(formatSchedule([])).toBe('');
});

test('what is written is read again', () => {
  const entry = fc.oneof(fc.nat(3), fc.tuple(fc.nat(3), fc.nat(2)));
  fc.assert(
    fc.property(fc.array(entry), (schedule) => {
      expect(parseSchedule(formatSchedule(schedule))).toEqual(schedule);
    }),
  );
});

test.each(['x', '0**2', '0,,1', '0*2000000', '1:'])('refused: %s', (text) => {
  expect(() => parseSchedule(text)).toThrow(ScheduleError);
});
