// The history of a finding in GraphQL: one decision of a person, a run or the server itself.
import { builder } from '../../../graphql/schema-kit/builder.js';
import { textOrNull, time } from '../../../graphql/schema-kit/field-options.js';
import { enumType } from '../../../graphql/schema-kit/zod-inputs.js';
import { severities, severity } from '../../result/result.input.js';
import { userOrNull } from '../../user/user.schema.js';
import type { TriageEventRow } from '../finding.details.js';
import { triageState } from '../finding.input.js';

const rank = (value: number | null) => (value === null ? null : (severities[value] ?? null));

export const TriageEventType = builder.objectRef<TriageEventRow>('TriageEvent').implement({
  description: 'An entry of a finding’s history.',
  fields: (t) => ({
    at: t.expose('at', time('Time of the decision.')),
    actor: t.field(
      userOrNull('actorId', 'The user who decided; null for runs, the server and deleted users.'),
    ),
    actorLabel: t.exposeString('actorLabel', { description: 'Name of the actor at that time.' }),
    from: t.expose('from', {
      type: enumType(triageState),
      nullable: true,
      description: 'Decision before; null when it stayed.',
    }),
    to: t.expose('to', {
      type: enumType(triageState),
      nullable: true,
      description: 'Decision after; null when it stayed.',
    }),
    severityFrom: t.field({
      type: enumType(severity),
      nullable: true,
      description: 'Severity before; null when it stayed.',
      resolve: ({ severityFrom }) => rank(severityFrom),
    }),
    severityTo: t.field({
      type: enumType(severity),
      nullable: true,
      description: 'Severity after; null when it stayed.',
      resolve: ({ severityTo }) => rank(severityTo),
    }),
    reason: t.exposeString('reason', textOrNull(2000, 'Reason.')),
    comment: t.exposeString('comment', textOrNull(20_000, 'Comment.')),
  }),
});
