// Findings as the API sees them: reads, details and decisions, each in a module of its own.
import type { Logger } from 'pino';
import type { PageArgs } from '../../core/pagination.js';
import type { Sql, Wanted } from '../../infra/postgres/sql.js';
import type { ReportOverdue } from '../webhook/webhook.events.js';
import { branchesOfEach, historyOfEach } from './finding.details.js';
import { createFindingReads } from './finding.reads.js';
import { listWhere } from './list/list-where.js';
import { expireAcceptances, startKeeper } from './triage/expiry.js';
import { createTriage, type TriageOptions } from './triage/triage.service.js';

export type { FindingRow } from './finding.rows.js';

/** Reads findings and decides about them. */
export type FindingService = ReturnType<typeof createFindingService>;

/** Creates the service. */
export function createFindingService(options: TriageOptions & { log: Logger; reportOverdue: ReportOverdue }) {
  const { db } = options;
  const { get, byIds, list, matching } = createFindingReads(options);
  return {
    get,
    byIds,
    list,
    matching,
    /** See {@link listWhere}. */
    listWhere: (conditions: Sql[], args: PageArgs, wanted: Wanted) => listWhere(db, conditions, args, wanted),
    /** See {@link branchesOfEach}. */
    branchesOfEach: (ids: readonly string[]) => branchesOfEach(db, ids),
    /** See {@link historyOfEach}. */
    historyOfEach: (ids: readonly string[]) => historyOfEach(db, ids),
    /** See {@link createTriage}. */
    triage: createTriage(options),
    /** See {@link expireAcceptances}. */
    expireAcceptances: () => expireAcceptances(options),
    /** See {@link startKeeper}. */
    startKeeper: () => startKeeper(options),
  };
}
