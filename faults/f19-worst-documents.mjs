// F19: the worst documents that the limits let through, found by a search and not by hand: it changes documents at random and keeps
// those that hold up the event loop for longest. SEARCH_SECONDS (default 100) and SEARCH_SEED choose how long and which way it goes.
import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { createDocuments } from './kit/documents.mjs';
import { act, call, graphql, must } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const seconds = Number(process.env.SEARCH_SECONDS ?? 100);
const seed = Number(process.env.SEARCH_SEED ?? Math.floor(Math.random() * 1e6));
const keptOfRoot = 2;
const shown = 5;

export const title = 'the worst documents that are accepted, found by a search';

export async function run(scene, figures) {
  const server = await scene.instance({ env: { RATE_LIMIT_PER_MINUTE: '0' } });
  const { accessToken: token } = await scene.signIn(server);
  const ids = await fill(server, token);
  const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));
  const random = randomOf(seed);
  const documents = createDocuments(schema, ids, random);
  const measure = async (query) => {
    await server.ask('watchLoop');
    const { status, code, ms, body } = await call(server.url, graphql(token, query));
    await sleep(2);
    const blockMs = await server.ask('longestBlockMs');
    return { query, status, code, ms, blockMs, bytes: JSON.stringify(body ?? '').length };
  };
  const found = await search({ documents, measure, random, until: performance.now() + seconds * 1000 });
  figures.note('Seed', String(seed));
  figures.note('Documents tried', found.tried);
  figures.note('… of them accepted', found.accepted);
  const worst = [];
  for (const { query } of found.best.slice(0, 2 * shown)) {
    const again = [];
    for (let n = 0; n < 5; n += 1) again.push(await measure(query));
    worst.push(again.sort((a, b) => a.blockMs - b.blockMs)[2]);
  }
  worst.sort((a, b) => b.blockMs - a.blockMs);
  for (const { query, blockMs, ms, bytes } of worst.slice(0, shown))
    figures.atMost(
      `Event loop blocked for (median of 5), ${Math.round(bytes / 1000)} kB in ${Math.round(ms)} ms: ${query.length > 300 && !process.env.SHOW_DOCUMENTS ? `${query.slice(0, 300)}…` : query}`,
      blockMs,
      50,
      'ms',
    );
  figures.is('The server lives', (await call(server.url, { path: '/api/v1/health/live' })).status, 200);
}

/** Climbs from the best documents so far of each root field, so that it does not stay on one hill; now and then from a new one. */
async function search({ documents, measure, random, until }) {
  let best = [];
  let tried = 0;
  let accepted = 0;
  while (performance.now() < until) {
    const parent =
      best.length > 0 && random() < 0.9 ? best[Math.floor(random() ** 2 * best.length)] : undefined;
    const document = parent === undefined ? documents.make() : documents.change(parent.document);
    let outcome = await measure(documents.print(document));
    tried += 1;
    // The worst that is accepted lies close below what is not.
    for (let n = 0; outcome.code === 'QUERY_TOO_COMPLEX' && documents.shrink(document) && n < 8; n += 1) {
      outcome = await measure(documents.print(document));
      tried += 1;
    }
    if (outcome.code === 'QUERY_TOO_COMPLEX' || outcome.status === 400) continue;
    accepted += 1;
    if (best.some(({ query }) => query === outcome.query)) continue;
    const root = document[0].name;
    const rivals = best.filter((other) => other.document[0].name === root);
    if (rivals.length === keptOfRoot && outcome.blockMs <= rivals.at(-1).blockMs) continue;
    // What looks bad is measured again: a pause of the collector or of the machine is no hill.
    const again = await measure(outcome.query);
    best.push({ ...outcome, document, blockMs: Math.min(outcome.blockMs, again.blockMs) });
    best = best.filter((other) => other !== rivals[keptOfRoot - 1]).sort((a, b) => b.blockMs - a.blockMs);
  }
  return { best, tried, accepted };
}

/** Data that is as large as inputs may be: long parameters, texts and lists. Gives ids by prefix. */
async function fill(server, token) {
  const exe = [];
  const text = (length) => 'Lorem ipsum "dolor" \u00e9\n'.repeat(Math.ceil(length / 21)).slice(0, length);
  const lists = {
    cweIds: Array.from({ length: 50 }, (_, n) => n + 1),
    tags: Array.from({ length: 50 }, (_, n) => `tag-${n}`),
  };
  for (let n = 0; n < 100; n += 1) {
    const { createExecution } = await must(
      server.url,
      graphql(
        token,
        'mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }',
        {
          input: {
            name: `scan ${n}`,
            target: `https://${n % 3}.a.test`,
            kind: 'DAST',
            branch: 'main',
            tool: 'zap',
            parameters: { list: Array.from({ length: 9000 }, (_, at) => at) },
          },
        },
      ),
    );
    const { id } = createExecution.execution;
    exe.push(id);
    if (n >= 8) continue;
    await must(server.url, act(token, 'startExecution', id));
    for (let batch = 0; batch < 2; batch += 1)
      await must(
        server.url,
        graphql(token, 'mutation($input: AddResultsInput!) { addResults(input: $input) { added } }', {
          input: {
            executionId: id,
            results: Array.from({ length: 60 }, (_, at) => ({
              title: `Injection ${batch} ${at}`,
              severity: ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'][at % 5],
              ruleId: `r${at % 7}`,
              description: text(n < 2 ? 20_000 : 500),
              evidence: text(n < 2 ? 50_000 : 500),
              location: { path: `src/${n}/${batch}/${at}.ts`, startLine: at + 1 },
              cveIds: Array.from({ length: 100 }, (_, index) => `CVE-2021-${10_000 + index}`),
              references: Array.from({ length: 50 }, (_, index) => `https://a.test/${index}`),
              ...lists,
            })),
          },
        }),
      );
    await must(server.url, act(token, 'completeExecution', id));
  }
  for (let n = 0; n < 100; n += 1)
    await must(
      server.url,
      graphql(
        token,
        'mutation($input: CreateServiceAccountInput!) { createServiceAccount(input: $input) { user { id } } }',
        { input: { name: `account ${n}`, role: 'VIEWER' } },
      ),
    );
  await sleep(5000); // the results meet the findings
  const data = await must(
    server.url,
    graphql(
      token,
      '{ results(first: 50) { nodes { id } } findings(first: 50) { nodes { id } } users(first: 20) { nodes { id } } }',
    ),
  );
  const idsOf = (list) => data[list].nodes.map(({ id }) => id);
  return { exe: exe.slice(0, 20), res: idsOf('results'), fnd: idsOf('findings'), usr: idsOf('users') };
}

/** Random numbers that a seed repeats (mulberry32). */
function randomOf(state) {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
