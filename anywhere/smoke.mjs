// The smoke test: what every user of a server does, through the public API, on one or two instances.
import { call, graphql, must, requests } from '../faults/kit/client.mjs';
import { admin } from '../faults/kit/instance.mjs';
import { until } from '../faults/kit/time.mjs';

const password = 'walnut ferry 6204 lagoon tile';
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const sarif = {
  version: '2.1.0',
  runs: [
    {
      tool: { driver: { name: 'SmokeTool' } },
      results: [
        {
          ruleId: 'INJ-1',
          level: 'error',
          message: { text: 'SQL Injection in İstanbul' },
          locations: [
            { physicalLocation: { artifactLocation: { uri: 'src/Index.js' }, region: { startLine: 3 } } },
          ],
        },
      ],
    },
  ],
};

function check(what, isSo) {
  if (!isSo) throw new Error(`The smoke test: ${what}`);
}

const login = (url, email, secret) => call(url, requests.login(undefined, { email, password: secret }));

/**
 * Runs it.
 * @param {string} url of the server, or of the proxy in front
 * @param {string} other of another instance on the same data; the same one where there is none
 * @returns {Promise<number>} the number of things that were checked
 */
export async function smoke(url, other = url) {
  let checks = 0;
  const expect = (what, isSo) => {
    check(what, isSo);
    checks += 1;
  };
  await until(async () => (await call(url, requests.ready())).status === 200, 'readiness', 20_000, 50);
  expect('a wrong password is refused', (await login(url, admin.email, 'wrong')).status === 401);
  const signedIn = await login(url, admin.email, admin.password);
  expect(`the admin signs in (${signedIn.status} ${signedIn.code ?? ''})`, signedIn.status === 200);
  const token = signedIn.body.accessToken;
  const ask = (query, variables, at = url) => must(at, graphql(token, query, variables));

  const mark = Math.random().toString(36).slice(2, 10);
  const email = `IRIS.${mark}@example.com`;
  await ask('mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }', {
    input: { email, name: 'İris Işık', role: 'ANALYST', password },
  });
  expect(
    'an address in lower case is the same account',
    (await login(other, email.toLowerCase(), password)).status === 200,
  );
  const found = await ask('query($search: String!) { users(filter: { search: $search }) { totalCount } }', {
    search: `IRIS.${mark}`.toUpperCase(),
  });
  expect('a search in capitals finds the account', found.users.totalCount === 1);

  const created = await ask(
    'mutation($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id createdAt } } }',
    { input: { name: `Smoke ${mark}`, target: 'smoke', kind: 'DAST' } },
  );
  const { id, createdAt } = created.createExecution.execution;
  expect(
    `times are RFC 3339 in UTC (${createdAt})`,
    rfc3339.test(createdAt) && Math.abs(Date.parse(createdAt) - Date.now()) < 60_000,
  );
  await ask('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }', { id });
  const events = follow(other, token, id);
  const results = [
    { title: 'SQL Injection', severity: 'HIGH' },
    { title: 'Ünïcode \u{1f512} ı', severity: 'LOW' },
  ];
  const added = await ask('mutation($input: AddResultsInput!) { addResults(input: $input) { added } }', {
    input: { executionId: id, results },
  });
  expect('results are added', added.addResults.added === 2);
  await ask('mutation($id: ID!) { completeExecution(id: $id) { execution { id } } }', { id });
  const types = await events;
  expect(`a stream of the other instance brings all events (${types})`, types.at(-1) === 'COMPLETED');
  const searched = await ask(
    'query($id: ID!) { execution(id: $id) { results(filter: { search: "INJECTION" }) { nodes { title createdAt } } } }',
    { id },
    other,
  );
  expect('a search in capitals finds the result', searched.execution.results.nodes.length === 1);

  const imported = await call(url, {
    method: 'POST',
    path: `/api/v1/imports?target=smoke-${mark}&wait=30`,
    token,
    body: sarif,
    headers: { 'Content-Type': 'application/json' },
  });
  expect(
    `a report is imported (${imported.status} ${JSON.stringify(imported.body).slice(0, 200)})`,
    imported.status < 300 && imported.body.state === 'COMPLETED',
  );
  await until(
    async () =>
      (await ask('{ findings(filter: { search: "INJECTION" }) { totalCount } }', {}, other)).findings
        .totalCount >= 1,
    'findings',
    30_000,
    100,
  );
  const exported = await call(url, { path: `/api/v1/executions/${id}/export?format=ndjson`, token });
  expect(`results are exported (${exported.status})`, exported.status === 200);
  expect('signing out ends the session', (await call(url, requests.logout(token))).status < 300);
  await until(
    async () => (await call(other, requests.me(token))).status === 401,
    'the end of the session everywhere',
    3000,
    50,
  );
  return checks + 2;
}

/** Follows an execution to its end over an event stream. @returns the statuses that came */
async function follow(url, token, id) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({
      query: 'subscription($id: ID!) { executionEvents(executionId: $id) { execution { status } } }',
      variables: { id },
    }),
    signal: AbortSignal.timeout(30_000),
  });
  let text = '';
  for await (const chunk of response.body) text += Buffer.from(chunk).toString();
  return [...text.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status);
}
