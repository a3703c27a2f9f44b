// Stored policies of gates: reads, sets and deletes those of a project, each change with its audit event.
import { AppError, invalid } from '../../core/errors.js';
import { newId } from '../../core/ids.js';
import type { Viewer } from '../../core/permissions.js';
import { type GatePolicy as PolicyModel, Prisma } from '../../generated/prisma/client.js';
import type { Database, SqlRow, Transaction } from '../../infra/postgres/database.js';
import { columnsOf, sql } from '../../infra/postgres/sql.js';
import type { AuditService } from '../audit/audit.service.js';
import type { SetGatePolicyInput } from './gate.input.js';

/** A stored policy as it is read; timestamps are RFC 3339. */
export type PolicyRow = SqlRow<PolicyModel>;

/** Locks a project that the viewer may see, until the transaction ends. */
export type LockProject = (tx: Transaction, viewer: Viewer, key: string) => Promise<{ id: string }>;

/** Dependencies of storing policies. */
export interface PolicyOptions {
  db: Database;
  audit: AuditService;
  /** @throws NOT_FOUND for a project that the viewer may not see */
  lockProject: LockProject;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Policies that a project may store. */
export const maxPolicies = 50;

const columns = columnsOf(Prisma.GatePolicyScalarFieldEnum);

/** Stores policies. */
export type PolicyService = ReturnType<typeof createPolicyService>;

/** Creates the service. */
export function createPolicyService(options: PolicyOptions) {
  const { db } = options;
  return {
    /** The policies of each project by name. */
    async ofEach(projectIds: readonly string[]): Promise<PolicyRow[][]> {
      const rows = await db.read<PolicyRow>(
        sql`SELECT ${columns} FROM gate_policies WHERE project_id = ANY(${[...new Set(projectIds)]}::uuid[]) ORDER BY name`,
      );
      return projectIds.map((id) => rows.filter(({ projectId }) => projectId === id));
    },

    /** The policy of a project; undefined where it has none of this name. */
    async find(projectId: string, name: string): Promise<PolicyRow | undefined> {
      const [row] = await db.read<PolicyRow>(
        sql`SELECT ${columns} FROM gate_policies WHERE project_id = ${projectId}::uuid AND name = ${name}`,
      );
      return row;
    },

    /** See {@link setPolicy}. */
    set: (viewer: Viewer, input: SetGatePolicyInput) => setPolicy(options, viewer, input),
    /** See {@link deletePolicy}. */
    delete: (viewer: Viewer, project: string, name: string) => deletePolicy(options, viewer, project, name),
  };
}

/**
 * Stores a policy under a name, in place of the one that had it.
 * @throws NOT_FOUND for a project that the viewer may not see
 * @throws VALIDATION_FAILED for a base branch without onlyNew
 * @throws CONFLICT when the project stores as many policies as allowed
 */
async function setPolicy(
  { db, audit, lockProject, now }: PolicyOptions,
  viewer: Viewer,
  input: SetGatePolicyInput,
): Promise<PolicyRow> {
  const { project: key, name, ...rules } = input;
  if (rules.baseBranch != null && rules.onlyNew !== true)
    throw invalid('input.baseBranch', 'belongs to onlyNew');
  return db.transaction(async (tx) => {
    const project = await lockProject(tx, viewer, key);
    await assertRoom(tx, project.id, name);
    const { maxCritical, maxHigh, maxMedium, maxLow, onlyNew, baseBranch, failOnOverdue, mode } = rules;
    const at = new Date(now());
    const [row] = await tx.query<PolicyRow>(sql`
      INSERT INTO gate_policies (id, project_id, name, max_critical, max_high, max_medium, max_low, only_new, base_branch,
        fail_on_overdue, mode, created_at, updated_at)
      VALUES (${newId()}, ${project.id}, ${name}, ${maxCritical ?? null}, ${maxHigh ?? null}, ${maxMedium ?? null},
        ${maxLow ?? null}, ${onlyNew ?? false}, ${baseBranch ?? null}, ${failOnOverdue ?? false},
        ${mode ?? 'ENFORCE'}::gate_mode, ${at}, ${at})
      ON CONFLICT (project_id, name) DO UPDATE SET max_critical = EXCLUDED.max_critical, max_high = EXCLUDED.max_high,
        max_medium = EXCLUDED.max_medium, max_low = EXCLUDED.max_low, only_new = EXCLUDED.only_new,
        base_branch = EXCLUDED.base_branch, fail_on_overdue = EXCLUDED.fail_on_overdue, mode = EXCLUDED.mode,
        updated_at = EXCLUDED.updated_at
      RETURNING ${columns}`);
    audit.record(tx, {
      action: 'gate_policy.set',
      actor: viewer,
      targetType: 'Project',
      targetId: project.id,
      changes: { name, ...rules },
    });
    return row as PolicyRow;
  });
}

async function assertRoom(tx: Transaction, projectId: string, name: string): Promise<void> {
  const [others] = await tx.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM gate_policies WHERE project_id = ${projectId} AND name <> ${name}`,
  );
  if ((others?.count ?? 0) >= maxPolicies)
    throw new AppError('CONFLICT', { message: `The project stores ${maxPolicies} policies already.` });
}

/**
 * Deletes a stored policy.
 * @throws NOT_FOUND for a policy that does not exist, or a project that the viewer may not see
 */
async function deletePolicy(
  { db, audit, lockProject }: PolicyOptions,
  viewer: Viewer,
  key: string,
  name: string,
): Promise<{ projectId: string }> {
  return db.transaction(async (tx) => {
    const { id } = await lockProject(tx, viewer, key);
    const deleted = await tx.query(
      sql`DELETE FROM gate_policies WHERE project_id = ${id} AND name = ${name} RETURNING id`,
    );
    if (deleted.length === 0) throw new AppError('NOT_FOUND');
    audit.record(tx, {
      action: 'gate_policy.delete',
      actor: viewer,
      targetType: 'Project',
      targetId: id,
      changes: { name },
    });
    return { projectId: id };
  });
}
