// Lists of findings: every filter, order and direction against a model in memory, counts, pages, and who may see them.
import { describe, expect, it } from '@jest/globals';
import { type Branch, insertBranch, insertFinding, insertProject, insertRun } from '../../kit/findings.js';
import {
  brokenCursors,
  type Connection,
  connectionFields,
  type PageVariables,
  walk,
} from '../../kit/lists.js';
import { createPerson, type Person } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

interface Model {
  id: string;
  project: string;
  target: string;
  tool: string;
  severity: number;
  triage: string;
  isPresent: boolean;
  isOnFeature: boolean;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  title: string;
  path: string;
  assignee: string | null;
  dueAt: number;
  firstSeenAt: number;
  lastSeenAt: number;
}

const rows: Model[] = [];

const triages = ['OPEN', 'OPEN', 'CONFIRMED', 'FALSE_POSITIVE', 'RISK_ACCEPTED', 'RESOLVED'];
const start = Date.parse('2026-03-01T00:00:00Z');
const day = 86_400_000;

/** Findings of a series: some absent since its second run, some on a feature branch too. */
async function fill(
  branch: Branch,
  names: { project: string; target: string; tool: string; category?: string },
  size: number,
  at: number,
) {
  const first = await insertRun(server, branch, new Date(at));
  const feature = await insertBranch(server, {
    ...names,
    projectId: branch.projectId,
    name: 'feature',
    isDefault: false,
  });
  await insertRun(server, feature, new Date(at + 3600_000));
  const second = at + day;
  for (let index = 0; index < size; index += 1) {
    const isPresent = index % 5 !== 4;
    const model: Omit<Model, 'id'> = {
      ...names,
      severity: index % 5,
      triage: triages[index % triages.length] as string,
      isPresent,
      isOnFeature: isPresent && index % 3 === 0,
      ruleId: [null, 'sqli', 'xss-1'][index % 3] as string | null,
      cweIds: [[79], [89, 79], []][index % 3] as number[],
      cveIds: index % 4 === 0 ? ['CVE-2021-44228'] : [],
      title: ['SQL injection', 'Ünsafe hash', 'Missing 100% header'][index % 3] as string,
      path: index % 2 === 0 ? 'src/db.ts' : 'lib/näme.py',
      assignee: index % 7 === 0 ? viewer.id : null,
      dueAt: index % 3 === 1 ? start + (index % 2 === 0 ? -100 : 36_500) * day : Number.POSITIVE_INFINITY,
      firstSeenAt: at + (index % 4) * 1000,
      lastSeenAt: isPresent ? second : at,
    };
    const id = await insertFinding(server, {
      ...{ executionId: first, branch, severity: model.severity, triage: model.triage, ruleId: model.ruleId },
      ...{ cweIds: model.cweIds, cveIds: model.cveIds, title: model.title, path: model.path },
      assignee: model.assignee?.slice(4) ?? null,
      dueAt: Number.isFinite(model.dueAt) ? new Date(model.dueAt) : null,
      firstSeenAt: new Date(model.firstSeenAt),
      ...(isPresent ? {} : { until: { run: 1, at: new Date(at) } }),
    });
    if (model.isOnFeature) await insertSighting(id, feature);
    rows.push({ ...model, id });
  }
  await insertRun(server, branch, new Date(second));
}

async function insertSighting(id: string, branch: Branch) {
  await server.sql(
    `INSERT INTO test_results (id, execution_id, title, severity, fingerprint, "references", tags, created_at, finding_id,
       scan_branch_id, from_run, delta, is_shared)
     SELECT gen_random_uuid(), last_execution_id, 'Seen', 2, 'f', '{}', '{}', last_run_at, $1, id, 1, 1, true
     FROM scan_branches WHERE id = $2`,
    [id.slice(4), branch.id],
  );
}

const server = await useServer();
const token = await server.signIn();
const admin = { id: '', email: '', token };
const viewer = await createPerson(server, token, 'VIEWER');
const secret = await insertProject(server, 'secret', { visibility: 'PRIVATE' });
const shop = { project: 'default', target: 'shop', tool: 'semgrep' };
const web = { project: 'default', target: 'web', tool: 'zap', category: 'nightly' };
const hidden = { project: 'secret', target: 'shop', tool: 'semgrep' };
await fill(await insertBranch(server, { ...shop, name: 'main' }), shop, 34, start);
await fill(await insertBranch(server, web), web, 21, start + 5 * day);
await fill(
  await insertBranch(server, { ...hidden, projectId: secret, name: 'main' }),
  hidden,
  12,
  start + 2 * day,
);

const query = (fields: string) => `
  query($first: Int, $after: String, $last: Int, $before: String, $filter: FindingFilter, $orderBy: FindingOrder) {
    findings(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) { ${fields} }
  }`;
const request = (variables: Record<string, unknown>, fields = connectionFields, who = admin) =>
  server.gql(query(fields), variables, who.token);

async function list(variables: Record<string, unknown>, fields?: string, who?: Person): Promise<Connection> {
  return (await request(variables, fields, who)).expectData().findings;
}

/** Keys of each order, the most significant first; ids come last. */
const keys: Record<string, (row: Model) => number[]> = {
  SEVERITY: (row) => [row.severity, row.firstSeenAt],
  FIRST_SEEN: (row) => [row.firstSeenAt],
  LAST_SEEN: (row) => [row.lastSeenAt, row.severity, row.firstSeenAt],
  DUE: (row) => [row.dueAt],
};

function expected(fits: (row: Model) => boolean, field = 'FIRST_SEEN', direction = 'DESC'): string[] {
  const keysOf = keys[field] as (row: Model) => number[];
  const compare = (a: Model, b: Model) => {
    const [left, right] = [keysOf(a), keysOf(b)];
    const at = left.findIndex((value, index) => value !== right[index]);
    if (at >= 0) return (left[at] as number) < (right[at] as number) ? -1 : 1;
    return a.id < b.id ? -1 : 1;
  };
  const sorted = rows.filter(fits).sort(compare);
  return (direction === 'ASC' ? sorted : sorted.reverse()).map(({ id }) => id);
}

const has = (name: 'severity' | 'triage') => (values: unknown[]) => (row: Model) =>
  values.includes(row[name]);
const isOpen = (row: Model) => row.triage === 'OPEN' || row.triage === 'CONFIRMED';
const isOverdue = (row: Model) => isOpen(row) && row.dueAt < Date.now();

/** Filter, and which rows it leaves. `presence` is PRESENT unless given. */
const filters: [Record<string, unknown>, (row: Model) => boolean][] = [
  [{}, (row) => row.isPresent],
  [{ presence: 'ABSENT' }, (row) => !row.isPresent],
  [{ severity: ['CRITICAL', 'LOW'] }, (row) => row.isPresent && has('severity')([1, 4])(row)],
  [{ severity: ['INFO'], presence: 'ABSENT' }, (row) => !row.isPresent && row.severity === 0],
  [
    { triage: ['OPEN', 'RISK_ACCEPTED'] },
    (row) => row.isPresent && has('triage')(['OPEN', 'RISK_ACCEPTED'])(row),
  ],
  [{ triage: ['RESOLVED'], presence: 'ABSENT' }, (row) => !row.isPresent && row.triage === 'RESOLVED'],
  [
    { triage: ['OPEN'], severity: ['HIGH', 'INFO'] },
    (row) => row.isPresent && row.triage === 'OPEN' && [0, 3].includes(row.severity),
  ],
  [{ project: 'default' }, (row) => row.isPresent && row.project === 'default'],
  [{ project: 'nowhere' }, () => false],
  [{ target: 'shop' }, (row) => row.isPresent && row.target === 'shop'],
  [{ target: 'shop', presence: 'ABSENT' }, (row) => !row.isPresent && row.target === 'shop'],
  [
    { target: 'shop', severity: ['HIGH'], triage: ['FALSE_POSITIVE'] },
    (row) => row.isPresent && row.target === 'shop' && row.severity === 3 && row.triage === 'FALSE_POSITIVE',
  ],
  [{ target: 'nowhere' }, () => false],
  [{ tool: 'ZAP' }, (row) => row.isPresent && row.tool === 'zap'],
  [{ category: 'nightly' }, (row) => row.isPresent && row.target === 'web'],
  [{ branch: 'main' }, (row) => row.isPresent && row.target === 'shop'],
  [{ branch: 'feature' }, (row) => row.isOnFeature],
  [
    { branch: 'feature', target: 'web', severity: ['LOW', 'MEDIUM'] },
    (row) => row.isOnFeature && row.target === 'web' && [1, 2].includes(row.severity),
  ],
  [{ branch: 'feature', presence: 'ABSENT' }, () => false],
  [{ ruleId: 'sqli' }, (row) => row.isPresent && row.ruleId === 'sqli'],
  [{ ruleId: 'sqli', presence: 'ABSENT' }, (row) => !row.isPresent && row.ruleId === 'sqli'],
  [
    { ruleId: 'sqli', severity: ['HIGH'], triage: ['OPEN'] },
    (row) => row.isPresent && row.ruleId === 'sqli' && row.severity === 3 && row.triage === 'OPEN',
  ],
  [{ cweId: 89 }, (row) => row.isPresent && row.cweIds.includes(89)],
  [{ cveId: 'cve-2021-44228' }, (row) => row.isPresent && row.cveIds.length > 0],
  [{ search: 'unsafe' }, (row) => row.isPresent && row.title === 'Ünsafe hash'],
  [{ search: '100% h' }, (row) => row.isPresent && row.title.includes('100%')],
  [{ search: 'NÄME' }, (row) => row.isPresent && row.path === 'lib/näme.py'],
  [{ overdue: true }, (row) => row.isPresent && isOverdue(row)],
  [{ overdue: false }, (row) => row.isPresent && !isOverdue(row)],
  [{ firstSeenAfter: '2026-03-06T00:00:00Z' }, (row) => row.isPresent && row.firstSeenAt >= start + 5 * day],
  [{ firstSeenBefore: '2026-03-06T00:00:00Z' }, (row) => row.isPresent && row.firstSeenAt < start + 5 * day],
];

describe('filters and orders of findings', () => {
  const orders = Object.keys(keys).flatMap((field) => [`${field} DESC`, `${field} ASC`]);

  it.each(filters)('lists by %j in every order, with the exact number', async (filter, fits) => {
    for (const order of orders) {
      const [field, direction] = order.split(' ') as [string, string];
      const page = await list(
        { first: 100, filter, orderBy: { field, direction } },
        `${connectionFields} totalCount`,
      );
      const wanted = expected(fits, field, direction);
      expect({ order, ids: page.nodes.map(({ id }) => id) }).toEqual({ order, ids: wanted });
      expect(page).toMatchObject({ totalCount: wanted.length });
    }
  });

  it('lists by assignee', async () => {
    const page = await list({ first: 100, filter: { assigneeId: viewer.id } });
    const wanted = expected((row) => row.isPresent && row.assignee !== null);
    expect(wanted.length).toBeGreaterThan(3);
    expect(page.nodes.map(({ id }) => id)).toEqual(wanted);
  });

  it('lists the latest found first by default', async () => {
    const page = await list({ first: 100 });
    expect(page.nodes.map(({ id }) => id)).toEqual(expected((row) => row.isPresent));
  });
});

describe('paging through findings', () => {
  for (const field of Object.keys(keys)) {
    it.each([
      ['DESC', 'forward', {}],
      ['ASC', 'backward', {}],
      ['DESC', 'backward', { presence: 'ABSENT' }],
      ['ASC', 'forward', { target: 'shop' }],
      ['DESC', 'forward', { branch: 'feature' }],
      ['DESC', 'backward', { ruleId: 'sqli', severity: ['LOW', 'HIGH'] }],
      ['ASC', 'backward', { triage: ['OPEN', 'CONFIRMED'] }],
    ] as const)(`gives all by ${field} %s, %s, of %j`, async (direction, way, filter) => {
      const orderBy = { field, direction };
      const whole = await list({ first: 100, filter, orderBy });
      const read = (page: PageVariables) => list({ ...page, filter, orderBy });
      expect(await walk(read, 3, way)).toEqual(whole.nodes.map(({ id }) => id));
    });
  }

  it('gives the entries between two cursors', async () => {
    for (const field of Object.keys(keys)) {
      const orderBy = { field, direction: 'DESC' };
      const { edges } = await list({ first: 20, orderBy });
      const page = await list({ first: 100, orderBy, after: edges[3]?.cursor, before: edges[15]?.cursor });
      expect(page.nodes.map(({ id }) => id)).toEqual(edges.slice(4, 15).map(({ node }) => node.id));
    }
  });

  it('refuses cursors that no list gives', async () => {
    for (const after of brokenCursors) {
      const orderBy = { field: 'SEVERITY', direction: 'DESC' };
      (await request({ after, orderBy })).expectError('VALIDATION_FAILED');
    }
  });
});

describe('who may see findings', () => {
  const ids = `nodes { id } totalCount`;

  it('shows findings of a private project to admins and members only', async () => {
    const open = expected((row) => row.isPresent && row.project === 'default');
    const page = await list({ first: 100 }, ids, viewer);
    expect(page.nodes.map(({ id }) => id)).toEqual(open);
    expect(page).toMatchObject({ totalCount: open.length });
    const hidden = expected((row) => row.project === 'secret')[0];
    const read = (text: string) => server.gql(text, { id: hidden }, viewer.token);
    (await read('query($id: ID!) { finding(id: $id) { id } }')).expectError('NOT_FOUND');
    (await read('query($id: ID!) { node(id: $id) { id } }')).expectError('NOT_FOUND');
    expect(await list({ filter: { project: 'secret' } }, ids, viewer)).toEqual({ nodes: [], totalCount: 0 });
    const member = await createPerson(server, admin.token, 'VIEWER');
    await server.sql(
      `INSERT INTO project_members SELECT id, $1, 'VIEWER', now() FROM projects WHERE key = 'secret'`,
      [member.id.slice(4)],
    );
    const all = expected((row) => row.isPresent);
    expect((await list({ first: 100 }, ids, member)).nodes.map(({ id }) => id)).toEqual(all);
  });

  it('asks anonymous callers to sign in', async () => {
    (await server.gql('{ findings { totalCount } }')).expectError('UNAUTHENTICATED');
  });
});
