// Shapes and limits of the input of executions.
import { z } from 'zod';
import {
  dateTime,
  enumOf,
  idOf,
  int,
  jsonObject,
  line,
  objectOf,
  orderInput,
  searchTerm,
  text,
} from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';

export const testKind = enumOf('TestKind', 'Kind of a security test.', {
  DAST: 'Dynamic testing of a running application.',
  SAST: 'Static analysis of source code.',
  SCA: 'Known vulnerabilities of dependencies.',
  SECRETS: 'Leaked credentials.',
  IAC: 'Misconfigured infrastructure as code.',
  CONTAINER: 'Container images.',
  MANUAL: 'Manual testing.',
  OTHER: 'Anything else.',
});

export const executionStatus = enumOf('ExecutionStatus', 'State of an execution.', {
  QUEUED: 'Waits for a runner.',
  RUNNING: 'In progress.',
  CANCEL_REQUESTED: 'In progress; its runner has been asked to stop.',
  COMPLETED: 'Finished successfully.',
  FAILED: 'Finished with an error.',
  CANCELLED: 'Cancelled.',
  INTERRUPTED: 'Ended by the server because its lease expired.',
});

export const executionOrder = orderInput('Execution', 'executions', {
  CREATED_AT: 'Time of creation.',
  FINISHED_AT: 'Time of completion; unfinished executions are the latest.',
  NAME: 'Name.',
});
export type ExecutionOrder = z.output<typeof executionOrder>;

/** Targets are indexed, and an entry of a PostgreSQL B-tree is limited. */
const maxTargetBytes = 2000;
export const target = line(1, maxTargetBytes).refine(
  (text) => Buffer.byteLength(text) <= maxTargetBytes,
  `must have at most ${maxTargetBytes} bytes`,
);

/** A commit in lower case, as Git prints it: some tools and people write capitals. */
export const commitSha = z
  .string()
  .max(64, 'must be 7 to 64 hexadecimal digits')
  .regex(/^[0-9a-f]{7,64}$/i, 'must be 7 to 64 hexadecimal digits')
  .transform((sha) => sha.toLowerCase());

export const executionFilter = objectOf('Filter for executions; all conditions must hold.', {
  status: z.array(executionStatus).max(10).nullish().describe('Any of these statuses.'),
  kind: z.array(testKind).max(10).nullish().describe('Any of these kinds.'),
  project: projectKey.nullish().describe('Key of the project.'),
  target: target.nullish().describe('Exactly this target.'),
  tool: line(1, 200).nullish().describe('Exactly this tool.'),
  branch: line(1, 255).nullish().describe('Exactly this branch.'),
  commitSha: commitSha.nullish().describe('Exactly this commit.'),
  search: searchTerm.nullish().describe('Part of the name or target, without regard to case and accents.'),
  isHeld: z.boolean().nullish().describe('Whether it is under a legal hold.'),
  createdById: idOf('User').nullish().describe('Created by this user.'),
  createdAfter: dateTime.nullish().describe('Created at or after this time.'),
  createdBefore: dateTime.nullish().describe('Created before this time.'),
});
export type ExecutionFilter = z.output<typeof executionFilter>;

export const createExecutionInput = objectOf('A new execution.', {
  name: line(1, 200).describe('Name.'),
  target: target.describe('Tested URL, repository, image or host.'),
  kind: testKind.describe('Kind of test.'),
  project: projectKey
    .nullish()
    .describe('Key of the project: "default" by default, or the project that the API key is bound to.'),
  category: line(1, 200)
    .nullish()
    .describe('Distinguishes runs of the same tool on the same target, for example by folder.'),
  parameters: jsonObject
    .nullish()
    .describe('Settings for the runner: a JSON object of at most 64 KiB; integers within ±(2^53 - 1).'),
  tool: line(1, 200).nullish().describe('Tool, for example "zap".'),
  toolVersion: line(1, 100).nullish().describe('Version of the tool.'),
  branch: line(1, 255).nullish().describe('Tested branch.'),
  commitSha: commitSha.nullish().describe('Tested commit.'),
  idempotencyKey: line(1, 200)
    .nullish()
    .describe(
      'Repeating the call with the same key returns the same execution. Error IDEMPOTENCY_KEY_REUSED for another input under it.',
    ),
});
export type CreateExecutionInput = z.output<typeof createExecutionInput>;

export const reportProgressInput = objectOf('Progress of a running execution.', {
  executionId: idOf('TestExecution').describe('The running execution.'),
  progress: int(0, 100).describe('Progress in per cent; a lower value than the current one changes nothing.'),
  phase: line(1, 200).nullish().describe('Current phase.'),
});
export type ReportProgressInput = z.output<typeof reportProgressInput>;

export const holdReason = line(1, 1000).nullish();
export const errorMessage = text(10_000).min(1, 'must not be empty').describe('Reason of the failure.');

/** A lease of an execution that is started by hand: 10 seconds to a week. */
export const leaseSeconds = int(10, 604_800).nullish();

export const claimExecutionInput = objectOf('Conditions of a claim.', {
  kinds: z
    .array(testKind)
    .min(1, 'must have at least 1 kind')
    .max(10)
    .describe('Kinds that the runner supports.'),
  runner: line(1, 200).describe('Name of the runner, for display.'),
  leaseSeconds: int(10, 3600)
    .nullish()
    .describe('Seconds until the lease expires unless it is renewed: 10 to 3,600, default 60.'),
});
export type ClaimExecutionInput = z.output<typeof claimExecutionInput>;
