// Creates service accounts: users that are programs. They have API keys and no password, and may belong to one project.
import { invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import type { User } from '../../generated/prisma/client.js';
import { sql } from '../../infra/postgres/sql.js';
import { emailKeyOf } from '../../validation/email.js';
import type { ProjectService } from '../project/project.service.js';
import { reloadUser, searchTextOf, type UserChangeOptions } from './user.changes.js';
import type { CreateServiceAccountInput } from './user.input.js';

/** Dependencies of creating service accounts. */
export interface ServiceAccountOptions extends UserChangeOptions {
  projects: ProjectService;
}

/**
 * Creates a service account. One of a project is a member there with the given role, and a VIEWER to the rest of the API, which
 * its keys do not reach. It gets an address that takes no mail (RFC 2606, .invalid).
 * @throws NOT_FOUND for a project that the viewer may not see
 * @throws VALIDATION_FAILED for an admin of one project
 * @throws CONFLICT for an archived project, and for one that has as many members as allowed
 */
export async function createServiceAccount(
  options: ServiceAccountOptions,
  viewer: Viewer,
  { name, role, project: key }: CreateServiceAccountInput,
): Promise<User> {
  const { db, audit, projects, events } = options;
  if (key != null && role === 'ADMIN')
    throw invalid('input.role', 'must be ANALYST or VIEWER for an account of one project');
  const id = newId();
  const email = addressOf(name, id);
  const at = new Date(options.now());
  await db.transaction(async (tx) => {
    const project = key == null ? null : await projects.lock(tx, viewer, key);
    await tx.query(sql`
      INSERT INTO users (id, email, email_key, search_text, name, role, status, kind, project_id, created_at, updated_at)
      VALUES (${id}, ${email}, ${emailKeyOf(email)}, ${searchTextOf({ name, email })}, ${name},
        ${project === null ? role : 'VIEWER'}, 'ACTIVE', 'SERVICE', ${project?.id ?? null}, ${at}, ${at})`);
    if (project !== null && role !== 'ADMIN') await projects.addMember(tx, project.id, id, role, at);
    audit.record(tx, {
      action: 'user.create_service_account',
      actor: viewer,
      targetType: 'User',
      targetId: id,
      changes: { name, role, ...(key != null && { project: key }) },
    });
    tx.afterCommit(() => events.publish('user.changed', { userId: id }));
  });
  return reloadUser(options, id);
}

function addressOf(name: string, id: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return `${words === '' ? 'service' : words}.${id.slice(-8)}@service-account.invalid`;
}
