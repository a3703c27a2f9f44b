// Shapes of audit queries.
import type { z } from 'zod';
import { dateTime, enumOf, idOf, line, objectOf } from '../../validation/fields.js';

export const auditOutcome = enumOf('AuditOutcome', 'Outcome of an audited action.', {
  SUCCESS: 'The action succeeded.',
  DENIED: 'The server refused the action.',
  FAILURE: 'The action failed.',
});

export const auditEventFilter = objectOf('Filter for audit events; all conditions must hold.', {
  action: line(1, 100).nullish().describe('Exactly this action, for example auth.login.'),
  actorId: idOf('User').nullish().describe('Done by this user.'),
  targetId: idOf('User', 'Session', 'ApiKey', 'TestExecution', 'Project', 'Webhook')
    .nullish()
    .describe('With this target.'),
  outcome: auditOutcome.nullish().describe('With this outcome.'),
  after: dateTime.nullish().describe('At or after this moment.'),
  before: dateTime.nullish().describe('Before this moment.'),
});
export type AuditEventFilter = z.output<typeof auditEventFilter>;
