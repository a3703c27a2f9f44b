// Shapes and limits of the policy of a gate.
import { z } from 'zod';
import { enumOf, int } from '../../validation/fields.js';

export const gateVerdict = enumOf('GateVerdict', 'Outcome of a gate.', {
  PASS: 'The policy allows the execution.',
  FAIL: 'The policy does not allow it; the reasons say why.',
});

const limit = int(0, 1_000_000_000).nullish();

export const gatePolicy = z
  .strictObject({
    maxCritical: limit.describe('CRITICAL findings that are allowed; any number by default.'),
    maxHigh: limit.describe('HIGH findings that are allowed; any number by default.'),
    maxMedium: limit.describe('MEDIUM findings that are allowed; any number by default.'),
    maxLow: limit.describe('LOW findings that are allowed; any number by default.'),
    onlyNew: z
      .boolean()
      .nullish()
      .describe(
        'Counts only findings that are NEW or REOPENED in this run. In a repeated run on the same branch, a finding is no longer new.',
      ),
    failOnOverdue: z
      .boolean()
      .nullish()
      .describe('Fails when a finding of the run is overdue, also one that is not new.'),
  })
  .describe('Limits that an execution must not exceed to pass.');
export type GatePolicy = z.output<typeof gatePolicy>;
