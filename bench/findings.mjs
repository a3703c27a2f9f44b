// Measures pages of findings by every filter and order in two databases, the larger one ten times the smaller, in one run.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dataDir, root } from './database.mjs';
import { seedFindings } from './findings-seed.mjs';
import { machine, saveFigures } from './report.mjs';
import { admin, startServer } from './server.mjs';
import { withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';

const fields = `nodes {
    id project { key } target tool category ruleId title description severity reportedSeverity severityOverride cweIds cveIds
    cvssVector cvssScore location { path startLine } remediation references tags triage triageReason triageComment
    acceptedUntil assignee { id name } dueAt presence firstSeenAt lastSeenAt
  } pageInfo { hasNextPage endCursor }`;
const query = `query Page($first: Int!, $after: String, $filter: FindingFilter, $orderBy: FindingOrder) {
  findings(first: $first, after: $after, filter: $filter, orderBy: $orderBy) { ${fields} }
}`;

/** Filters by name; each leaves the same share of the findings, however many there are. */
const filters = {
  none: {},
  project: { project: 'bench-1' },
  target: { target: 'target-7' },
  'target and tool': { target: 'target-7', tool: 'tool-1' },
  tool: { tool: 'tool-3' },
  'severity critical': { severity: ['CRITICAL'] },
  'severity low, info': { severity: ['LOW', 'INFO'] },
  'triage confirmed': { triage: ['CONFIRMED'] },
  'triage open, critical': { triage: ['OPEN'], severity: ['CRITICAL'] },
  absent: { presence: 'ABSENT' },
  'absent, high': { presence: 'ABSENT', severity: ['HIGH'] },
  'default branch': { branch: 'main' },
  'feature branch': { branch: 'feature', target: 'target-7' },
  rule: { ruleId: 'rule-17' },
  'rule, high, open': { ruleId: 'rule-17', severity: ['HIGH'], triage: ['OPEN'] },
  'common CWE': { cweId: 79 },
  'rare CWE': { cweId: 4242 },
  CVE: { cveId: 'CVE-2024-1007' },
  'common words': { search: 'injection' },
  'rare words': { search: 'needle-in-haystack' },
  overdue: { overdue: true },
  'first seen after': { firstSeenAfter: '2026-03-20T00:00:00Z' },
};
const orders = ['SEVERITY', 'FIRST_SEEN', 'LAST_SEEN', 'DUE'];

const { values } = parseArgs({
  options: {
    findings: { type: 'string', default: '1000000,10000000' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const sizes = values.findings.split(',').map(Number);
const rounds = Number(values.rounds);

await withDatabases(run);

async function run(databases, closers) {
  console.log(machine());
  const stands = [];
  for (const size of sizes) stands.push(await standOf(databases, closers, size));
  const figures = { at: new Date().toISOString(), machine: machine(), sizes, pages: [] };
  console.log(
    `\n| filter | order | ${sizes.map(count).join(' | ')} | ratio | deep page |\n|--|--|${sizes.map(() => '--:|').join('')}--:|--:|`,
  );
  for (const [name, filter] of Object.entries(filters)) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    for (const order of orders) {
      const row = await measure(stands, filter, order);
      figures.pages.push({ name, order, ...row });
      const [small, large] = row.medians;
      const ratio = large === undefined ? '' : (large / small).toFixed(2);
      const deep = row.deep.map(ms).join(' / ');
      console.log(`| ${[name, order, ...row.medians.map(ms), ratio, deep].join(' | ')} |`);
    }
  }
  await saveFigures(figures, values.json ?? join(dataDir, 'findings.json'));
}

async function standOf(databases, closers, size) {
  const url = await databases.empty(`bench_findings_${size}`);
  await seedFindings(url, size, console.log);
  const server = await startServer({ root, dataDir: join(dataDir, `findings-${size}`), databaseUrl: url });
  closers.push(() => server.stop());
  const answer = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = await answer.json();
  return { url: server.url, token: accessToken };
}

/** Medians of the first page and of one some pages further on, in alternation between the databases. */
async function measure(stands, filter, field) {
  const variables = { first: 100, filter, orderBy: { field, direction: 'DESC' } };
  const times = stands.map(() => ({ first: [], deep: [] }));
  const cursors = [];
  for (const stand of stands) cursors.push(await cursorAfter(stand, variables, 10));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, stand] of stands.entries()) {
      times[index].first.push(await timed(stand, variables));
      if (cursors[index] !== null)
        times[index].deep.push(await timed(stand, { ...variables, after: cursors[index] }));
    }
  }
  return {
    medians: times.map(({ first }) => median(first)),
    deep: times.map(({ deep }) => (deep.length === 0 ? 0 : median(deep))),
  };
}

async function cursorAfter(stand, variables, pages) {
  let after = null;
  for (let page = 0; page < pages; page += 1) {
    const { pageInfo } = (await ask(stand, { ...variables, after })).findings;
    if (!pageInfo.hasNextPage) return after;
    after = pageInfo.endCursor;
  }
  return after;
}

async function timed(stand, variables) {
  const startedAt = performance.now();
  await ask(stand, variables);
  return performance.now() - startedAt;
}

async function ask({ url, token }, variables) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors !== undefined) throw new Error(`${JSON.stringify(variables)}: ${errors[0].message}`);
  return data;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
