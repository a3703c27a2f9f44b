// Puts findings with their series, branches, runs and results into a test server's database, as imports leave them there.
import { createHash, randomUUID } from 'node:crypto';
import { newId, toPublicId } from '../../src/core/ids.js';
import { foldForSearch } from '../../src/validation/search-text.js';
import type { TestServer } from './harness.js';

export const defaultProject = '00000000-0000-7000-8000-000000000001';
export const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** A project by SQL; its id. */
export async function insertProject(
  server: TestServer,
  key: string,
  { visibility = 'INTERNAL', defaultBranch = null as string | null } = {},
): Promise<string> {
  const id = newId();
  await server.sql(
    'INSERT INTO projects (id, key, name, visibility, default_branch, created_at) VALUES ($1, $2, $2, $3::project_visibility, $4, now())',
    [id, key, visibility, defaultBranch],
  );
  return id;
}

export interface Branch {
  id: number;
  seriesId: number;
  projectId: string;
  isDefault: boolean;
  name: string;
}

/** A branch of a series, which is made where there is none. */
export async function insertBranch(
  server: TestServer,
  given: {
    projectId?: string;
    target?: string;
    tool?: string;
    category?: string;
    name?: string;
    isDefault?: boolean;
  } = {},
): Promise<Branch> {
  const {
    projectId = defaultProject,
    target = 'repo',
    tool = 'semgrep',
    category = '',
    name = '',
    isDefault = true,
  } = given;
  const [series] = await server.sql<{ id: number }>(
    `INSERT INTO scan_series (project_id, target, tool, category) VALUES ($1, $2, $3, $4)
     ON CONFLICT (project_id, target, tool, category) DO UPDATE SET version = scan_series.version + 1 RETURNING id`,
    [projectId, target, tool, category],
  );
  const seriesId = series?.id as number;
  const [branch] = await server.sql<{ id: number }>(
    'INSERT INTO scan_branches (series_id, name, is_default) VALUES ($1, $2, $3) RETURNING id',
    [seriesId, name, isDefault],
  );
  return { id: branch?.id as number, seriesId, projectId, isDefault, name };
}

/** A completed run of a branch whose results the branch's runs share; its execution's UUID. */
export async function insertRun(
  server: TestServer,
  branch: Branch,
  at: Date,
  isShared = true,
): Promise<string> {
  const id = newId();
  const [run] = await server.sql<{ number: number }>(
    `UPDATE scan_branches SET last_run = last_run + 1, last_run_at = $2, last_execution_id = $3 WHERE id = $1
     RETURNING last_run AS number`,
    [branch.id, at, id],
  );
  await server.sql(
    `INSERT INTO test_executions (id, name, target, kind, status, progress, created_at, started_at, finished_at, project_id,
       scan_branch_id, run_number, is_shared)
     VALUES ($1, 'Run', 'repo', 'SAST', 'COMPLETED', 100, $2, $2, $2, $3, $4, $5, $6)`,
    [id, at, branch.projectId, branch.id, run?.number, isShared],
  );
  return id;
}

export interface FindingSeed {
  executionId: string;
  branch: Branch;
  /** Rank, 0 to 4. */
  severity?: number;
  title?: string;
  ruleId?: string | null;
  cweIds?: number[];
  cveIds?: string[];
  path?: string;
  triage?: string;
  dueAt?: Date | null;
  assignee?: string | null;
  firstSeenAt?: Date;
  /** The last run that saw it, and when; it is absent from the next one on. */
  until?: { run: number; at: Date };
  fromRun?: number;
  /** UUID of a result that is there already. */
  ofResult?: string;
}

const defaults = {
  ...{ severity: 2, title: 'Finding', ruleId: null, cweIds: [], cveIds: [], path: 'src/a.ts' },
  ...{ triage: 'OPEN', dueAt: null, assignee: null, fromRun: 1 },
};

/** A finding with its newest result; its public id. */
export async function insertFinding(server: TestServer, seed: FindingSeed): Promise<string> {
  const id = seed.ofResult ?? newId();
  const full = { ...defaults, firstSeenAt: new Date(), ...seed };
  if (seed.ofResult === undefined) await insertResult(server, id, full);
  const { branch, title, ruleId, severity, cweIds, cveIds, triage, assignee, dueAt, path, until } = full;
  const isPresent = branch.isDefault && until === undefined;
  const text = foldForSearch([title, ruleId, path, ...cveIds].filter(Boolean).join('\n'));
  await server.sql(
    `INSERT INTO findings (id, project_id, series_id, result_id, title, rule_id, severity, reported_severity, cwe_ids, cve_ids,
       triage, accepted_until, assignee_id, due_at, is_present, first_seen_at, first_seen_in_id, last_seen_at, recipe, group_key,
       rule_key, message_key, line, path, search_text)
     VALUES ($1, $2, $3, $1, $4, $5, $6, $6, $7, $8, $9::triage_state,
       CASE WHEN $9 = 'RISK_ACCEPTED' THEN now() + interval '1 day' END, $10, $11, $12, $13, $14, $15, 1, $16, $16, $16, 7, $17, $18)`,
    [
      ...[id, branch.projectId, branch.seriesId, title, ruleId, severity, cweIds, cveIds, triage, assignee],
      ...[dueAt, isPresent, full.firstSeenAt, full.executionId, until?.at ?? null, randomUUID(), path, text],
    ],
  );
  return toPublicId('Finding', id);
}

async function insertResult(
  server: TestServer,
  id: string,
  {
    executionId,
    branch,
    title,
    severity,
    ruleId,
    cweIds,
    cveIds,
    path,
    firstSeenAt,
    fromRun,
    until,
  }: FindingSeed,
) {
  await server.sql(
    `INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, location, "references", tags,
       fingerprint, created_at, finding_id, scan_branch_id, from_run, until_run, delta, is_shared)
     VALUES ($1, $2, $3, 'What it is', $4, $5, $6, $7, $8, '{}', '{tag}', $9, $10, $1, $11, $12, $13, 0, true)`,
    [
      ...[id, executionId, title, severity, ruleId, cweIds, cveIds, JSON.stringify({ path, startLine: 7 })],
      ...[createHash('sha256').update(id).digest('hex'), firstSeenAt, branch.id, fromRun, until?.run ?? null],
    ],
  );
}

/** Differences between the counters and a count of the findings; none when the counters are right. */
export function countFaults(server: TestServer): Promise<object[]> {
  return server.sql(`
    SELECT project_id, triage, severity, is_present, sum(counted) AS counted, sum(actual) AS actual FROM (
      SELECT project_id, triage, severity, is_present, change AS counted, 0 AS actual FROM finding_counts
      UNION ALL SELECT project_id, triage, severity, is_present, 0, 1 FROM findings
    ) AS sides GROUP BY 1, 2, 3, 4 HAVING sum(counted) <> sum(actual)`);
}
