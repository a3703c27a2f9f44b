// Finds the ids of one page of findings in the order of an index, however many findings there are. A list whose order has no
// index of its own is the ordered union of parts that have one: PostgreSQL merges them (MergeAppend) and stops at the limit.
import type { PageRequest } from '../../../core/pagination.js';
import type { Reads } from '../../../infra/postgres/database.js';
import { join, type Sql, sql, where } from '../../../infra/postgres/sql.js';
import { type FindingFilter, triageStates } from '../finding.input.js';
import { estimateRows, fewRows } from './estimate.js';
import { allConditionsOf, conditionsOf, ranksOf, type Scope } from './filter.js';
import { candidatesByLastRun } from './last-seen.js';
import { beyond, candidateColumns, candidateOrder, type KeysetPlan, type PageSource } from './order.js';

/** Series or projects that get a part of their own; beyond it the parts cost more to plan than they save. */
const maxParts = 60;

/** A statement that gives `id` and the keys `k0`, … of the rows of a page and one more, in the direction of fetching. */
export async function candidatesOf(db: Reads, source: PageSource, request: PageRequest): Promise<Sql> {
  const { plan, filter, scope } = source;
  const isDescending = plan.isDescending !== request.isBackward;
  const limit = request.limit + 1;
  if (plan.name === 'LAST_SEEN' && filter.presence !== 'ABSENT')
    return candidatesByLastRun(db, source, request);
  if (isRare(filter) && (await estimateRows(db, allConditionsOf(filter, scope, source.now))) <= fewRows) {
    const conditions = [...allConditionsOf(filter, scope, source.now), ...boundsOf(plan, request)];
    return sql`SELECT ${candidateColumns(plan)} FROM findings ${where(conditions)}
      ORDER BY ${candidateOrder(plan, isDescending)} LIMIT ${limit}`;
  }
  const tail = sql`ORDER BY ${candidateOrder(plan, isDescending)} LIMIT ${limit}`;
  const bounds = boundsOf(plan, request);
  // Ordered by itself, so that PostgreSQL merges the parts row by row instead of sorting all of them.
  const select = (split: Sql[]) =>
    sql`(SELECT ${candidateColumns(plan)} FROM findings ${where([...split, ...bounds])} ${tail})`;
  const union = (parts: Sql[][]) =>
    sql`SELECT * FROM (${join(parts.map(select), ' UNION ALL ')}) AS part ${tail}`;
  const bySeries = seriesParts(source);
  if (bySeries !== undefined) return union(bySeries);
  const projectIds = projectsOf(scope);
  const parts = projectIds.flatMap((id) => projectParts(source, sql`${id}::uuid`));
  if (parts.length <= maxParts) return union(parts);
  return sql`
    SELECT part.* FROM unnest(${[...projectIds]}::uuid[]) AS scope(project_id)
    CROSS JOIN LATERAL (${union(projectParts(source, sql`scope.project_id`))}) AS part ${tail}`;
}

/** The projects that have findings of the scope. */
function projectsOf({ projectIds, series }: Scope): readonly string[] {
  return series === undefined ? projectIds : [...new Set(series.map(({ projectId }) => projectId))];
}

/** Whether the filter looks for something that an index of its own finds at once if it is rare. */
function isRare({ cweId, cveId, search, assigneeId }: FindingFilter): boolean {
  return [cweId, cveId, search, assigneeId].some((value) => value != null);
}

/** Conditions that the rows lie between the positions of a page. */
export function boundsOf(plan: KeysetPlan, { after, before }: PageRequest): Sql[] {
  return [
    ...(after === null ? [] : [beyond(plan, after, plan.isDescending)]),
    ...(before === null ? [] : [beyond(plan, before, !plan.isDescending)]),
  ];
}

const rank = (value: number) => sql`severity = ${value}::smallint`;
const allRanks = [0, 1, 2, 3, 4];

/** One part for each series and severity, where the filter names few series: see the index on series_id, severity. */
function seriesParts({ plan, filter, scope, now }: PageSource): Sql[][] | undefined {
  const isSuited = plan.name === 'SEVERITY' || plan.name === 'FIRST_SEEN';
  if (scope.series === undefined || !isSuited) return undefined;
  const ranks = ranksOf(filter);
  const split = plan.name === 'FIRST_SEEN' ? (ranks ?? allRanks) : ranks;
  if (scope.series.length * (split?.length ?? 1) > maxParts) return undefined;
  const states = triageOf(filter);
  return scope.series.flatMap((series) => {
    const others = conditionsOf(filter, { ...scope, series: [series] }, now);
    const own = [sql`series_id = ${series.id}::int`, ...states, ...others];
    return split === undefined ? [own] : split.map((value) => [...own, rank(value)]);
  });
}

/** The parts of one project, each in the order of an index. */
function projectParts({ plan, filter, scope, now }: PageSource, project: Sql): Sql[][] {
  const own = [sql`project_id = ${project}`, ...conditionsOf(filter, scope, now)];
  if (scope.series !== undefined) own.push(sql`series_id = ANY(${scope.series.map(({ id }) => id)}::int[])`);
  const ranks = ranksOf(filter);
  const anyRank = ranks === undefined ? [] : [sql`severity = ANY(${ranks}::smallint[])`];
  const whole = [[...own, ...anyRank, ...triageOf(filter)]];
  if (plan.name === 'LAST_SEEN' || scope.isByBranch) return whole;
  if (plan.name === 'DUE')
    return (ranks ?? allRanks).map((value) => [...own, ...triageOf(filter), rank(value)]);
  const isRuleNamed = filter.ruleId != null;
  const states = isRuleNamed || filter.presence === 'ABSENT' ? undefined : filter.triage;
  const needsRanks = plan.name === 'FIRST_SEEN' && (isRuleNamed || ranks !== undefined || states != null);
  const bySeverity = needsRanks ? (ranks ?? allRanks) : ranks;
  const isByState =
    !isRuleNamed &&
    filter.presence !== 'ABSENT' &&
    (plan.name === 'SEVERITY' || states != null || ranks !== undefined);
  const byState = isByState
    ? [...new Set(filter.triage ?? triageStates)].map((state) => [sql`triage = ${state}::triage_state`])
    : [triageOf(filter)];
  return byState.flatMap((state) =>
    bySeverity === undefined
      ? [[...own, ...state]]
      : bySeverity.map((value) => [...own, ...state, rank(value)]),
  );
}

function triageOf({ triage }: FindingFilter): Sql[] {
  return triage == null ? [] : [sql`triage = ANY(${triage}::triage_state[])`];
}
