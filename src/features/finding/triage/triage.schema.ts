// The mutation triageFindings in GraphQL.
import { builder } from '../../../graphql/schema-kit/builder.js';
import { mutation } from '../../../graphql/schema-kit/root-fields.js';
import { inputArg } from '../../../graphql/schema-kit/zod-inputs.js';
import { SeverityCounts } from '../../execution/execution.ref.js';
import type { TriageOutcome } from './triage.changes.js';
import { triageFindingsInput } from './triage.input.js';

const TriagePayload = builder.objectRef<TriageOutcome>('TriagePayload').implement({
  description: 'Outcome of a decision.',
  fields: (t) => ({
    matched: t.exposeInt('matched', { description: 'Findings that the input names.' }),
    changed: t.exposeInt('changed', {
      description: 'Findings that the decision changes; with `dryRun`, would change.',
    }),
    counts: t.field({
      type: SeverityCounts,
      description: 'The matched findings by severity, after the decision.',
      resolve: ({
        ranks: [infoCount = 0, lowCount = 0, mediumCount = 0, highCount = 0, criticalCount = 0],
      }) => ({
        infoCount,
        lowCount,
        mediumCount,
        highCount,
        criticalCount,
      }),
    }),
  }),
});

mutation('triageFindings', TriagePayload, 'finding:triage', {
  description:
    'Decides about findings: state, severity, assignee or comment of up to 100,000 at once, all or none. Each change ' +
    'stands in the history of its finding. Error CONFLICT when a finding is in none of the expected states, or in one that ' +
    'the new state may not follow: RISK_ACCEPTED does not follow RESOLVED, nor RESOLVED FALSE_POSITIVE.',
  args: (arg) => ({ input: inputArg(arg, 'TriageFindingsInput', triageFindingsInput) }),
  run: ({ findings }, viewer, { input }) => findings.triage(viewer, input),
});
