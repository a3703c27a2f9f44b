// Shapes of audit queries.
import { z } from 'zod';
import { dateTime, enumOf, idOf, line } from '../../validation/fields.js';

export const auditOutcome = enumOf('AuditOutcome', 'How an audited action ended.', {
  SUCCESS: 'It was done.',
  DENIED: 'It was refused.',
  FAILURE: 'It was tried and failed.',
});

export const auditEventFilter = z
  .strictObject({
    action: line(1, 100).nullish().describe('Exactly this action, for example auth.login.'),
    actorId: idOf('User').nullish().describe('Done by this user.'),
    targetId: idOf('User', 'Session', 'ApiKey', 'TestExecution', 'Project')
      .nullish()
      .describe('Done to this thing.'),
    outcome: auditOutcome.nullish().describe('Ended like this.'),
    after: dateTime.nullish().describe('At or after this moment.'),
    before: dateTime.nullish().describe('Before this moment.'),
  })
  .describe('Which audit events; conditions are joined by and.');
export type AuditEventFilter = z.output<typeof auditEventFilter>;
