// Gates in GraphQL: the policy as input, the verdict with its reasons.
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import { SeverityCounts } from '../execution/execution.ref.js';
import { gatePolicy, gateVerdict } from './gate.input.js';
import type { Gate } from './gate.service.js';

const GateType = builder.objectRef<Gate>('Gate').implement({
  description: 'An execution, judged by a policy.',
  fields: (t) => ({
    verdict: t.expose('verdict', { type: enumType(gateVerdict), description: 'Outcome.' }),
    reasons: t.exposeStringList('reasons', {
      extensions: { weight: { bytes: 7000 } },
      description: 'Why it fails, in sentences; empty when it passes.',
    }),
    counts: t.field({
      type: SeverityCounts,
      description: 'The findings that count, by severity.',
      resolve: ({ counts }) => counts,
    }),
  }),
});

builder.queryField('gate', (t) =>
  t.field({
    type: GateType,
    authScopes: { can: 'finding:read' },
    description:
      'Judges an execution by a policy. Only a COMPLETED execution whose imports are complete passes. Findings triaged ' +
      'FALSE_POSITIVE, or RISK_ACCEPTED until later, do not count. When the execution has just ended, the gate waits up to ' +
      'five seconds for its results to meet the findings; if they have not by then, it counts every result as a new finding ' +
      'by its severity. Error NOT_FOUND when the execution does not exist.',
    args: {
      executionId: simpleArg(t.arg, idOf('TestExecution'), 'Id of the execution.'),
      policy: inputArg(t.arg, 'GatePolicy', gatePolicy),
    },
    resolve: (_root, { executionId, policy }, context) =>
      context.services.gates.judge(viewerOf(context), executionId, policy),
  }),
);
