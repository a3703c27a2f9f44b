// Gates in GraphQL: the policy as input, the verdict with its reasons.
import { builder } from '../../graphql/schema-kit/builder.js';
import { pageArgs } from '../../graphql/schema-kit/connection.js';
import { text } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { wantedOf } from '../../graphql/schema-kit/selected-columns.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { executionOrNull, SeverityCounts } from '../execution/execution.ref.js';
import { FindingConnection } from '../finding/finding.schema.js';
import { gateMode, gatePolicy, gateVerdict } from './gate.input.js';
import type { Gate } from './gate.service.js';

const GateType = builder.objectRef<Gate>('Gate').implement({
  description: 'An execution, judged by a policy.',
  fields: (t) => ({
    verdict: t.expose('verdict', { type: enumType(gateVerdict), description: 'Outcome.' }),
    mode: t.expose('mode', { type: enumType(gateMode), description: 'Mode of the policy.' }),
    enforcedVerdict: t.expose('enforcedVerdict', {
      type: enumType(gateVerdict),
      description: 'The outcome that mode ENFORCE has or would have.',
    }),
    isComplete: t.exposeBoolean('isComplete', {
      description:
        'Whether the execution is COMPLETED and its imports are complete. Without that it fails in every mode.',
    }),
    reasons: t.exposeStringList(
      'reasons',
      text(7000, 'Why it fails, or would fail in mode ENFORCE, in sentences; empty when it passes.'),
    ),
    counts: t.field({
      type: SeverityCounts,
      description: 'The findings that count, by severity.',
      resolve: ({ counts }) => counts,
    }),
    base: t.field(
      executionOrNull(
        'baseId',
        'The last run of `baseBranch`, beside which findings are new; null where none was asked for, and where the branch has ' +
          'no run of the same target, tool and category: then every finding is new.',
      ),
    ),
    findings: t.field({
      type: FindingConnection,
      authScopes: { can: 'finding:read' },
      description:
        'The findings that count, the worst first. Results that have not met the findings yet are not among them.',
      args: pageArgs(t.arg),
      resolve: (gate, args, _context, info) => gate.list(args, wantedOf(info)),
    }),
  }),
});

query('gate', GateType, 'finding:read', {
  description:
    'Judges an execution by a policy. Only a COMPLETED execution whose imports are complete passes. Findings triaged ' +
    'FALSE_POSITIVE, or RISK_ACCEPTED until later, do not count. When the execution has just ended, the gate waits up to ' +
    'five seconds for its results to meet the findings; if they have not by then, it counts every result as a new finding ' +
    'by its severity. Error NOT_FOUND when the execution does not exist, VALIDATION_FAILED when its project stores no policy ' +
    'of the name that is given.',
  args: (arg) => ({
    executionId: simpleArg(arg, idOf('TestExecution'), 'Id of the execution.'),
    policy: inputArg(arg, 'GatePolicy', gatePolicy),
  }),
  run: ({ gates }, viewer, { executionId, policy }) => gates.judge(viewer, executionId, policy),
});
