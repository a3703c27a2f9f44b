// Shapes and limits of policies of gates, given with the question or stored by a project.
import { z } from 'zod';
import { enumOf, int, line, objectOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

export const gateVerdict = enumOf('GateVerdict', 'Outcome of a gate.', {
  PASS: 'The policy allows the execution.',
  FAIL: 'The policy does not allow it; the reasons say why.',
});

export const gateMode = enumOf(
  'GateMode',
  'What a gate does about an execution that its policy does not allow.',
  {
    ENFORCE: 'It fails.',
    LOG: 'It passes and gives the reasons, unless the execution is incomplete: then it fails.',
  },
);

/** The name of a stored policy: as a project's key. */
export const policyName = projectKey;

const limit = int(0, 1_000_000_000).nullish();

/** The rules of a policy, without the name of a stored one. */
const rules = {
  maxCritical: limit.describe('CRITICAL findings that are allowed; any number by default.'),
  maxHigh: limit.describe('HIGH findings that are allowed; any number by default.'),
  maxMedium: limit.describe('MEDIUM findings that are allowed; any number by default.'),
  maxLow: limit.describe('LOW findings that are allowed; any number by default.'),
  onlyNew: z
    .boolean()
    .nullish()
    .describe(
      'Counts only findings that are NEW or REOPENED in this run. In a repeated run on the same branch, a finding is no longer new: give `baseBranch`.',
    ),
  baseBranch: line(1, 255)
    .nullish()
    .describe(
      'With `onlyNew`: counts findings that the last run of this branch did not see, however often the own branch has run.',
    ),
  failOnOverdue: z
    .boolean()
    .nullish()
    .describe('Fails when a finding of the run is overdue, also one that is not new.'),
  mode: gateMode.nullish().describe('Whether the gate fails or only reports; ENFORCE by default.'),
};

export const gatePolicy = objectOf('Limits that an execution must not exceed to pass.', {
  ...rules,
  stored: policyName
    .nullish()
    .describe(
      'A stored policy of the execution’s project. Fields beside it replace those of the stored one.',
    ),
});
export type GatePolicy = z.output<typeof gatePolicy>;

export const setGatePolicyInput = objectOf(
  'A policy that a project stores. Setting one of the same name replaces all of it.',
  {
    project: projectKey.describe('Key of the project.'),
    name: policyName.describe('Name of the policy: a-z, 0-9 and hyphens; unique in the project.'),
    ...rules,
  },
);
export type SetGatePolicyInput = z.output<typeof setGatePolicyInput>;
