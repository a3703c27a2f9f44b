// Webhooks and their deliveries as rows: columns and orders in SQL.
import type { Webhook, WebhookDelivery } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import type { KeysetOrder } from '../../infra/postgres/keyset-page.js';
import { sql } from '../../infra/postgres/sql.js';

/** A webhook as it is read, without its secret; timestamps are RFC 3339. */
export type WebhookRow = Omit<SqlRow<Webhook>, 'secret' | 'failingSince' | 'leasedUntil'>;

/** A delivery as it is read, without its payload. */
export type WebhookDeliveryRow = Omit<SqlRow<WebhookDelivery>, 'payload' | 'number' | 'orderKey'>;

/** The select list of {@link WebhookRow}. */
export const columns = sql`id, url, events, project_id AS "projectId", least_severity AS "leastSeverity", is_active AS "isActive", created_at AS "createdAt"`;

/** The select list of {@link WebhookDeliveryRow}. */
export const deliveryColumns = sql`id, webhook_id AS "webhookId", event, state, attempts, last_status AS "lastStatus",
  last_error AS "lastError", created_at AS "createdAt", delivered_at AS "deliveredAt", next_attempt_at AS "nextAttemptAt"`;

/** The keyset order of deliveries: newest first. */
export const newestFirst: KeysetOrder<WebhookDeliveryRow> = { name: 'CREATED_AT', isDescending: true };
