// Shapes and limits of the filter of statistics.
import { z } from 'zod';
import { dateTime, enumOf, line, objectOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { testKind } from '../execution/execution.input.js';

/** Lengths of time that statistics are cut into. */
export const timeBucket = enumOf('TimeBucket', 'Length of time that a trend is cut into.', {
  DAY: 'A day of the time zone.',
  WEEK: 'Monday to Sunday.',
  MONTH: 'A month of the calendar.',
});

/** Names as the IANA database has them; no offsets. */
const zoneName = /^[A-Za-z]+(?:[/_+-][A-Za-z0-9]+)*$/;

function isTimeZone(name: string): boolean {
  if (!zoneName.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const statisticsFilter = objectOf('What statistics are about; all conditions must hold.', {
  project: projectKey.nullish().describe('Of the project with this key.'),
  target: line(1, 2000).nullish().describe('Of exactly this target.'),
  kind: z.array(testKind).max(8).nullish().describe('Of scans whose last run is of any of these kinds.'),
  from: dateTime
    .nullish()
    .describe('Beginning of the trend, within its first bucket; 30 buckets before its end by default.'),
  to: dateTime.nullish().describe('End of the trend, within its last bucket; now by default.'),
  bucket: timeBucket.nullish().describe('Length of the buckets; DAY by default. There are at most 400.'),
  timeZone: line(1, 64)
    .refine(isTimeZone, 'is not a time zone of the IANA database, for example Europe/Berlin')
    .nullish()
    .describe('Time zone whose days, weeks and months count, for example Europe/Berlin; UTC by default.'),
});
export type StatisticsFilter = z.output<typeof statisticsFilter>;
