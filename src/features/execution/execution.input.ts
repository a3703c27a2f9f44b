// Shapes and limits of execution input, shared by GraphQL and REST.
import { z } from 'zod';
import { dateTime, enumOf, idOf, int, jsonObject, line, text } from '../../validation/fields.js';

export const testKind = enumOf('TestKind', 'What kind of security test it is.', {
  DAST: 'Dynamic testing of a running application.',
  SAST: 'Static analysis of source code.',
  SCA: 'Known vulnerabilities of dependencies.',
  SECRETS: 'Leaked credentials.',
  IAC: 'Misconfigured infrastructure as code.',
  CONTAINER: 'Container images.',
  MANUAL: 'Findings of a person.',
  OTHER: 'Anything else.',
});

export const executionStatus = enumOf('ExecutionStatus', 'Where an execution stands.', {
  QUEUED: 'Waits for a runner.',
  RUNNING: 'Is being run.',
  CANCEL_REQUESTED: 'Runs, and its runner has been asked to stop.',
  COMPLETED: 'Ran to its end.',
  FAILED: 'Ended with an error.',
  CANCELLED: 'Was called off.',
  INTERRUPTED: 'Its runner was not heard of in time.',
});

export const executionOrder = z
  .strictObject({
    field: enumOf('ExecutionOrderField', 'What executions are ordered by.', {
      CREATED_AT: 'When it was created.',
      FINISHED_AT: 'When it finished; unfinished ones count as latest.',
      NAME: 'Its name.',
    }).describe('What to order by.'),
    direction: enumOf('OrderDirection', 'Which way a list is ordered.', {
      ASC: 'Lowest or oldest first.',
      DESC: 'Highest or newest first.',
    }).describe('Which way.'),
  })
  .describe('The order of executions.');
export type ExecutionOrder = z.output<typeof executionOrder>;

/** Indexed, and an entry of PostgreSQL's B-tree holds no more. */
const maxTargetBytes = 2000;
const target = line(1, maxTargetBytes).refine(
  (text) => Buffer.byteLength(text) <= maxTargetBytes,
  `must have at most ${maxTargetBytes} bytes`,
);

export const executionFilter = z
  .strictObject({
    status: z.array(executionStatus).max(10).nullish().describe('Any of these statuses.'),
    kind: z.array(testKind).max(10).nullish().describe('Any of these kinds.'),
    target: target.nullish().describe('Exactly this target.'),
    search: line(1, 200).nullish().describe('Part of the name or target, in any case.'),
    createdById: idOf('User').nullish().describe('Created by this user.'),
    createdAfter: dateTime.nullish().describe('Created at or after this moment.'),
    createdBefore: dateTime.nullish().describe('Created before this moment.'),
  })
  .describe('Which executions; conditions are joined by and.');
export type ExecutionFilter = z.output<typeof executionFilter>;

export const createExecutionInput = z
  .strictObject({
    name: line(1, 200).describe('What to call it.'),
    target: target.describe('What is tested: a URL, a repository, an image, a host.'),
    kind: testKind.describe('What kind of test it is.'),
    parameters: jsonObject.nullish().describe('Settings for the runner: a JSON object of at most 64 KiB.'),
    tool: line(1, 200).nullish().describe('The tool that runs, for example "zap".'),
    toolVersion: line(1, 100).nullish().describe('Its version.'),
    branch: line(1, 255).nullish().describe('The branch that is tested.'),
    commitSha: z
      .string()
      .regex(/^[0-9a-f]{7,64}$/i, 'must be 7 to 64 hexadecimal digits')
      .nullish()
      .describe('The commit that is tested.'),
    idempotencyKey: line(1, 200)
      .nullish()
      .describe('A repeated call with the same key gives the same execution.'),
  })
  .describe('A new execution.');
export type CreateExecutionInput = z.output<typeof createExecutionInput>;

export const reportProgressInput = z
  .strictObject({
    executionId: idOf('TestExecution').describe('The running execution.'),
    progress: int(0, 100).describe('Per cent done; a value below the present one changes nothing.'),
    phase: line(1, 200).nullish().describe('What it is doing now.'),
  })
  .describe('How far a run is.');
export type ReportProgressInput = z.output<typeof reportProgressInput>;

export const errorMessage = text(10_000).min(1, 'must not be empty').describe('Why it failed.');

export const claimExecutionInput = z
  .strictObject({
    kinds: z
      .array(testKind)
      .min(1, 'must have at least 1 kind')
      .max(10)
      .describe('Kinds that the runner can run.'),
    runner: line(1, 200).describe('Name of the runner, for people.'),
    leaseSeconds: int(10, 3600)
      .nullish()
      .describe('How long the run is the runner’s without being heard of; default 60, 10 to 3,600.'),
  })
  .describe('What a runner can take.');
export type ClaimExecutionInput = z.output<typeof claimExecutionInput>;
