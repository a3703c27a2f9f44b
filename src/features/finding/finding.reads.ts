// Reads findings: by id, and in keyset pages with exact counts. Deciding about them is in triage.service.ts.
import { AppError } from '../../core/errors.js';
import { encodeCursor, type Page, type PageArgs, parsePage, toPage } from '../../core/pagination.js';
import type { Viewer } from '../../core/permissions.js';
import type { Database, Reads } from '../../infra/postgres/database.js';
import { type Columns, type Sql, sql, type Wanted, where } from '../../infra/postgres/sql.js';
import { visibleProjects } from './finding.access.js';
import type { FindingFilter, FindingOrder } from './finding.input.js';
import { type FindingRow, selectionOf } from './finding.rows.js';
import { allConditionsOf, isCounted, ranksOf, type Scope, scopeOf } from './list/filter.js';
import { candidateOrder, cursorKeyOf, isCursorKey, planOf } from './list/order.js';
import { candidatesOf } from './list/page.js';

/** Dependencies of reading findings. */
export interface FindingReadOptions {
  db: Database;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Reads of findings. */
export type FindingReads = ReturnType<typeof createFindingReads>;

/** Creates the reads. */
export function createFindingReads({ db, now }: FindingReadOptions) {
  return {
    /**
     * @param wanted columns that the caller reads; undefined for all
     * @throws NOT_FOUND, also for a finding of a project that the viewer may not see
     */
    async get(viewer: Viewer, id: string, wanted?: Columns): Promise<FindingRow> {
      const [row] = await readByIds(db, viewer, [id], wanted);
      if (row == null) throw new AppError('NOT_FOUND');
      return row;
    },

    /** Findings by id, in the order of the ids; null for one that the viewer may not see. */
    byIds: (viewer: Viewer, ids: readonly string[]) => readByIds(db, viewer, ids),

    /** Conditions on the table findings for rows that match a filter and that the viewer may see. */
    matching: async (viewer: Viewer, filter: FindingFilter): Promise<Sql[]> =>
      allConditionsOf(filter, await visibleScope(db.lists, viewer, filter), new Date(now())),

    /**
     * One keyset page, the latest found first by default.
     * @param wanted columns that the caller reads, and whether it reads the total
     * @throws VALIDATION_FAILED for page arguments out of range or cursors of another order
     */
    list: (
      viewer: Viewer,
      filter: FindingFilter,
      order: FindingOrder | null | undefined,
      args: PageArgs,
      wanted: Wanted = {},
    ) => listFindings(db.lists, new Date(now()), viewer, filter, order, args, wanted),
  };
}

/** The projects and series that a filter is about, as far as the viewer may see them. */
async function visibleScope(db: Reads, viewer: Viewer, filter: FindingFilter): Promise<Scope> {
  const projects = await visibleProjects(db, viewer, filter.project);
  return scopeOf(
    db,
    projects.map(({ id }) => id),
    filter,
  );
}

/** The conditions of a filter on the findings of these projects. */
export async function matchingIn(
  db: Database,
  projectIds: readonly string[],
  filter: FindingFilter,
  now: Date,
): Promise<Sql[]> {
  return allConditionsOf(filter, await scopeOf(db, projectIds, filter), now);
}

async function readByIds(
  db: Database,
  viewer: Viewer,
  ids: readonly string[],
  wanted?: Columns,
): Promise<(FindingRow | null)[]> {
  const { columns, joins } = selectionOf(wanted);
  const [rows, projects] = await Promise.all([
    db.read<FindingRow>(
      sql`SELECT ${columns} FROM findings AS finding ${joins} WHERE finding.id = ANY(${[...ids]}::uuid[])`,
    ),
    visibleProjects(db, viewer),
  ]);
  const visible = new Set(projects.map(({ id }) => id));
  const byId = new Map(rows.filter(({ projectId }) => visible.has(projectId)).map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

async function listFindings(
  db: Reads,
  now: Date,
  viewer: Viewer,
  filter: FindingFilter,
  order: FindingOrder | null | undefined,
  args: PageArgs,
  wanted: Wanted,
): Promise<Page<FindingRow>> {
  const plan = planOf(order);
  const request = parsePage(args, plan.name, isCursorKey(plan));
  const keyOf = cursorKeyOf(plan);
  const cursorOf = (row: FindingRow) => encodeCursor(plan.name, { id: row.id, key: keyOf(row) });
  const scope = await visibleScope(db, viewer, filter);
  if (scope.projectIds.length === 0 || scope.series?.length === 0)
    return toPage(request, [], cursorOf, async () => 0);
  const count = () => countFindings(db, filter, scope, now);
  const counting = wanted.total ? count() : undefined;
  counting?.catch(() => {}); // reported to the caller that reads the count
  const candidates = await candidatesOf(db, { plan, filter, scope, now }, request);
  const { columns, joins } = selectionOf(
    wanted.columns,
    ...(plan.name === 'DUE' ? (['dueKey'] as const) : []),
  );
  const seen = plan.name === 'LAST_SEEN' ? sql`, candidate.k0 AS "seenKey"` : sql``;
  const isDescending = plan.isDescending !== request.isBackward;
  const rows = await db.queryUncached<FindingRow>(sql`
    SELECT ${columns}${seen} FROM (${candidates}) AS candidate JOIN findings AS finding ON finding.id = candidate.id
    ${joins} ORDER BY ${candidateOrder(plan, isDescending, 'candidate.')}`);
  return toPage(request, rows, cursorOf, counting === undefined ? count : () => counting);
}

/** Adds up the counters where they know the number, and counts otherwise. */
async function countFindings(db: Reads, filter: FindingFilter, scope: Scope, now: Date): Promise<number> {
  const statement = isCounted(filter)
    ? sql`SELECT COALESCE(sum(change), 0)::int AS count FROM finding_counts ${where(countedBy(filter, scope))}`
    : sql`SELECT count(*)::int AS count FROM findings ${where(allConditionsOf(filter, scope, now))}`;
  const [row] = await db.queryUncached<{ count: number }>(statement);
  return row?.count ?? 0;
}

function countedBy(filter: FindingFilter, { projectIds }: Scope) {
  const ranks = ranksOf(filter);
  return [
    sql`project_id = ANY(${[...projectIds]}::uuid[])`,
    sql`is_present = ${filter.presence !== 'ABSENT'}`,
    ...(ranks === undefined ? [] : [sql`severity = ANY(${ranks}::smallint[])`]),
    ...(filter.triage == null ? [] : [sql`triage = ANY(${filter.triage}::triage_state[])`]),
  ];
}
