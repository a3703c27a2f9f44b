// The demonstration's projects and decisions: who owns what, and what people have said about findings.
import { randomUUID } from 'node:crypto';
import { settle } from '../../dist/features/finding/runs/settle.js';

/** By the team that a piece of software belongs to; the other teams work in the default project. */
export const demoProjects = [
  { key: 'demo-storefront', name: 'Storefront', visibility: 'INTERNAL', teams: ['storefront', 'mobile'] },
  { key: 'demo-payments', name: 'Payments', visibility: 'PRIVATE', teams: ['payments'] },
  { key: 'demo-platform', name: 'Platform', visibility: 'INTERNAL', teams: ['platform'] },
];

/**
 * Makes the projects, with two members in the private one.
 * @returns {Promise<(target: string) => string | undefined>} the id of the project of a target; undefined for the default one
 */
export async function addProjects(client, software, users) {
  const ids = new Map();
  for (const { key, name, visibility, teams } of demoProjects) {
    const id = randomUUID();
    await client.query(
      `INSERT INTO projects (id, key, name, visibility, default_branch, days_critical, days_high, days_medium, created_at)
       VALUES ($1, $2, $3, $4::project_visibility, 'main', 7, 30, 90, now())`,
      [id, key, name, visibility],
    );
    for (const team of teams) ids.set(team, id);
    if (visibility !== 'PRIVATE') continue;
    const members = users.filter(({ role, status }) => role !== 'ADMIN' && status === 'ACTIVE').slice(0, 2);
    for (const member of members)
      await client.query(
        `INSERT INTO project_members (project_id, user_id, role, since) VALUES ($1, $2, 'ANALYST', now())`,
        [id, member.id],
      );
  }
  return (target) =>
    ids.get(software.find(({ name }) => target.includes(`/${name}`) || target.includes(`${name}.`))?.team);
}

/** Lets every run of the month meet the findings, as the server does when executions end. */
export async function settleAll(client, url) {
  const query = async ({ text, values }) => (await client.query(text, values)).rows;
  const bulk = { url, statementTimeoutMs: 60_000, connectTimeoutMs: 10_000 };
  const log = { warn: (entry) => console.error(entry) };
  let count = 0;
  for (let settled = -1; settled !== 0; count += settled)
    settled = await settle({ db: { query }, bulk, log, reportRun: async () => {}, now: Date.now });
  return count;
}

/** What people decided: some of everything. */
const decisions = [
  { share: 0.1, from: 'is_present', set: `triage = 'CONFIRMED'`, reason: null },
  {
    share: 0.05,
    from: 'is_present',
    set: `triage = 'FALSE_POSITIVE'`,
    reason: 'The value never comes from a caller.',
  },
  {
    share: 0.05,
    from: 'is_present AND severity < 4',
    set: `triage = 'RISK_ACCEPTED', accepted_until = now() + interval '60 days'`,
    reason: 'The service goes away this quarter.',
  },
  { share: 0.8, from: 'NOT is_present', set: `triage = 'RESOLVED'`, reason: 'Fixed.' },
];

/** Writes decisions with their history, by users of the month. */
export async function decide(client, user) {
  await client.query('SELECT setseed(0.5)');
  for (const { share, from, set, reason } of decisions)
    await client.query(
      `WITH decided AS (
         UPDATE findings SET ${set}, triage_reason = $1::text WHERE ${from} AND triage = 'OPEN' AND random() < $2
         RETURNING id, triage
       )
       INSERT INTO triage_events (id, finding_id, at, actor_id, actor_label, "from", "to", reason)
       SELECT gen_random_uuid(), id, now(), $3::uuid, $4::text, 'OPEN', triage, $1::text FROM decided`,
      [reason, share, user.id, user.email],
    );
}
