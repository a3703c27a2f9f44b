// Shapes and limits of the input of webhooks, and the events that they can subscribe to.
import { z } from 'zod';
import { line, objectOf } from '../../validation/fields.js';
import { projectKey } from '../../validation/project-key.js';
import { type Severity, severities, severity } from '../result/result.input.js';

/** Event type → when it is sent. */
export const webhookEvents = {
  'import.completed': 'a report has been imported',
  'finding.new': 'a run found new findings: one event for all of them',
  'finding.reopened': 'a run saw absent findings again: one event for all of them',
  'finding.overdue':
    'the due date of open findings has passed: one event for each project and up to 1,000 findings',
  'execution.started': 'an execution was started or claimed',
  'execution.completed': 'an execution was completed',
  'execution.failed': 'an execution failed, was cancelled or was interrupted',
  'triage.changed': 'a decision changed findings: one event for each project',
  'api_key.expiring': 'an API key ends within a week',
} as const;
export type WebhookEvent = keyof typeof webhookEvents;

/** All event types, in the order of the table. */
export const webhookEventNames = Object.keys(webhookEvents) as WebhookEvent[];

/** Webhooks that an installation may have. */
export const maxWebhooks = 100;

export const createWebhookInput = objectOf('A new webhook.', {
  url: line(1, 2000).describe(
    'Address that the server POSTs to: https, without a user, a password or a fragment. Private addresses need the setting WEBHOOK_PRIVATE_ADDRESSES.',
  ),
  events: z
    .array(
      z.string().superRefine((name, check) => {
        if (Object.hasOwn(webhookEvents, name)) return;
        const message = `is not an event; there are ${webhookEventNames.join(', ')}`;
        check.addIssue({ code: 'custom', message });
      }),
    )
    .min(1, 'must have at least 1 event')
    .max(webhookEventNames.length, 'has too many events')
    .refine((names) => new Set(names).size === names.length, 'names an event twice')
    .describe(`Events that it gets: ${webhookEventNames.join(', ')}.`),
  project: projectKey.nullish().describe('Key of the only project whose events it gets; all by default.'),
  leastSeverity: severity
    .nullish()
    .describe(
      'Least severity of findings: events about findings describe and count only these, and are not sent where there are none. All by default.',
    ),
});
/** A severity as the database has it: 0 for INFO to 4. */
export const rankOf = (name: Severity): number => severities.indexOf(name);
export type CreateWebhookInput = z.output<typeof createWebhookInput>;
