// Attack: reaching a project that one may not see, or doing more in it than one's role there allows, through any root field or
// any edge of the schema: role × membership × visibility × credential × field. ASVS 5.0: 8.2.1, 8.2.2, 8.3.1.
import { describe, expect, it } from '@jest/globals';
import { getNamedType, isObjectType } from 'graphql';
import { buildSchema, rootFields } from '../../../src/api/schema.js';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import type { GqlAnswer } from '../../kit/harness.js';
import { act, changes, endOf, eventsOf, subscribe, until } from '../../kit/live.js';
import {
  createProjects,
  expectedOf,
  type Persona,
  passesField,
  personas,
  type Role,
  type Signed,
  sees,
  signIn,
} from '../../kit/personas.js';
import { addResults, createExecution, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

/** What there is in a project, by its public ids. */
interface Things {
  key: string;
  execution: string;
  result: string;
  finding: string;
  /** An execution whose results have met the findings. */
  run: string;
  import: string;
  project: string;
}

const scopes = [
  ...[
    'execution:read',
    'execution:create',
    'execution:run',
    'execution:delete',
    'execution:hold',
    'result:read',
    'project:read',
  ],
  ...['project:manage', 'finding:read', 'finding:triage', 'report:import', 'profile:read'],
];

const server = await useServer({ SESSIONS_MAX_PER_USER: '1000' });
const adminToken = await server.signIn();
const keys = await createProjects(server, adminToken);

const report = { target: 'imported', format: 'SARIF', content: '{"version":"2.1.0","runs":[]}' };

const ask = (query: string, token: string): Promise<GqlAnswer> => server.gql(query, {}, token);
const codeOf = ({ body }: GqlAnswer): string => body.errors?.[0]?.extensions.code ?? 'ok';

/** By the project's visibility. */
const things = { INTERNAL: await fill(keys.INTERNAL), PRIVATE: await fill(keys.PRIVATE) };

async function fill(key: string): Promise<Things> {
  const execution = await startExecution(server, adminToken, { project: key, name: `Scan of ${key}` });
  await addResults(server, adminToken, execution, [{ title: `Result of ${key}`, severity: 'LOW' }]);
  await ask(`mutation { completeExecution(id: "${execution}") { execution { id } } }`, adminToken);
  const found = await ask(
    `{ results(filter: { executionId: "${execution}" }) { nodes { id } } project(key: "${key}") { id } }`,
    adminToken,
  );
  const { results, project } = found.expectData();
  const branch = await insertBranch(server, { projectId: project.id.slice(4), target: key });
  const run = await insertRun(server, branch, new Date());
  const finding = await insertFinding(server, { executionId: run, branch, title: `Finding of ${key}` });
  const begun = await server.change('importReport', { ...report, project: key }, 'import { id }', adminToken);
  const { id } = begun.expectData().importReport.import;
  return {
    key,
    execution,
    result: results.nodes[0].id,
    finding,
    run: `exe_${run}`,
    import: id,
    project: project.id,
  };
}

type Status = 'QUEUED' | 'RUNNING' | 'COMPLETED';

/** An execution of the project in a state, as if the caller had created it. */
async function ownExecution(caller: Signed, key: string, status: Status, kind = 'DAST'): Promise<string> {
  const id = await createExecution(server, adminToken, { project: key, kind });
  const steps = { QUEUED: [], RUNNING: ['start'], COMPLETED: ['start', 'complete'] }[status];
  for (const step of steps) (await act(server, adminToken, `${step}Execution`, id)).expectData();
  await server.sql('UPDATE test_executions SET created_by_id = $1 WHERE id = $2', [
    ...[caller.person.id.slice(4), id.slice(4)],
  ]);
  return id;
}

interface Case {
  /** The lowest role that may. */
  least: Role;
  /** What is expected beyond {@link expectedOf}. */
  expected?: (persona: Persona) => string;
  run: (caller: Signed, here: Things) => Promise<string>;
}

/** A read of one thing: there or NOT_FOUND. */
const one = (query: (here: Things) => string): Case => ({
  least: 'VIEWER',
  run: async ({ token }, here) => codeOf(await ask(`{ ${query(here)} }`, token)),
});

/** A list: it shows the project's thing, or does not. */
const list = (query: (here: Things) => string, mark: (here: Things) => string): Case => ({
  least: 'VIEWER',
  expected: (persona) =>
    passesField(persona, 'VIEWER') ? (sees(persona) ? 'shown' : 'hidden') : 'FORBIDDEN',
  run: async ({ token }, here) => {
    const answer = await ask(`{ ${query(here)} }`, token);
    if (answer.body.errors !== undefined) return codeOf(answer);
    return JSON.stringify(answer.body.data).includes(mark(here)) ? 'shown' : 'hidden';
  },
});

/** A change of an execution in a state that the caller created. */
const work = (status: Status, mutation: (id: string) => string): Case => ({
  least: 'ANALYST',
  run: async (caller, here) => {
    const id = await ownExecution(caller, here.key, status);
    return codeOf(await ask(`mutation { ${mutation(id)} }`, caller.token));
  },
});

const manage = (mutation: (here: Things, caller: Signed) => string): Case => ({
  least: 'ADMIN',
  run: async (caller, here) => codeOf(await ask(`mutation { ${mutation(here, caller)} }`, caller.token)),
});

const payload = '{ execution { id } }';

const cases: Record<string, Case> = {
  'Query.execution': one(({ execution }) => `execution(id: "${execution}") { id }`),
  'Query.result': one(({ result }) => `result(id: "${result}") { id }`),
  'Query.finding': one(({ finding }) => `finding(id: "${finding}") { id }`),
  'Query.statistics': list(
    () => 'statistics { topTargets { target } }',
    ({ key }) => `"target":"${key}"`,
  ),
  'Query.compareExecutions': one(
    ({ run }) => `compareExecutions(base: "${run}", head: "${run}") { unchanged { totalCount } }`,
  ),
  'Query.gate': one(({ execution }) => `gate(executionId: "${execution}", policy: {}) { verdict }`),
  'Query.import': one((here) => `import(id: "${here.import}") { id }`),
  'Query.project': one(({ key }) => `project(key: "${key}") { id }`),
  'Query.node': {
    least: 'VIEWER',
    expected: (persona) =>
      Array(5)
        .fill(sees(persona) && passesField(persona, 'VIEWER') ? 'ok' : 'NOT_FOUND')
        .join(' '),
    run: async ({ token }, { execution, result, finding, import: imported, project }) => {
      const codes: string[] = [];
      for (const id of [execution, result, finding, imported, project])
        codes.push(codeOf(await ask(`{ node(id: "${id}") { id } }`, token)));
      return codes.join(' ');
    },
  },
  'Query.executions': list(
    () => 'executions(first: 100, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id } }',
    ({ execution }) => execution,
  ),
  'Query.results': list(
    ({ execution }) =>
      `results(first: 100) { nodes { id } } own: results(filter: { executionId: "${execution}" }) { nodes { id } }`,
    ({ result }) => result,
  ),
  'Query.findings': list(
    () => 'findings(first: 100) { nodes { id } }',
    ({ finding }) => finding,
  ),
  'Query.projects': list(
    () => 'projects(first: 100) { nodes { id } }',
    ({ project }) => project,
  ),
  'Mutation.createExecution': {
    least: 'ANALYST',
    run: async ({ token }, { key }) =>
      codeOf(
        await ask(
          `mutation { createExecution(input: { name: "x", target: "y", kind: SAST, project: "${key}" }) ${payload} }`,
          token,
        ),
      ),
  },
  'Mutation.rerunExecution': work('COMPLETED', (id) => `rerunExecution(id: "${id}") ${payload}`),
  'Mutation.claimExecution': {
    least: 'ANALYST',
    expected: (persona) => {
      if (!passesField(persona, 'ANALYST')) return 'FORBIDDEN';
      return expectedOf(persona, 'ANALYST') === 'ok' ? 'claimed' : 'nothing';
    },
    run: async (caller, { key }) => {
      const id = await ownExecution(caller, key, 'QUEUED', 'MANUAL');
      const answer = await ask(
        `mutation { claimExecution(input: { kinds: [MANUAL], runner: "r" }) ${payload} }`,
        caller.token,
      );
      await server.sql('DELETE FROM test_executions WHERE id = $1', [id.slice(4)]);
      if (answer.body.errors !== undefined) return codeOf(answer);
      return answer.body.data.claimExecution.execution?.id === id ? 'claimed' : 'nothing';
    },
  },
  'Mutation.startExecution': work('QUEUED', (id) => `startExecution(id: "${id}") ${payload}`),
  'Mutation.reportProgress': work(
    'RUNNING',
    (id) => `reportProgress(input: { executionId: "${id}", progress: 5 }) ${payload}`,
  ),
  'Mutation.addResults': work(
    'RUNNING',
    (id) => `addResults(input: { executionId: "${id}", results: [{ title: "r", severity: LOW }] }) { added }`,
  ),
  'Mutation.completeExecution': work('RUNNING', (id) => `completeExecution(id: "${id}") ${payload}`),
  'Mutation.failExecution': work(
    'RUNNING',
    (id) => `failExecution(id: "${id}", errorMessage: "x") ${payload}`,
  ),
  'Mutation.cancelExecution': work('QUEUED', (id) => `cancelExecution(id: "${id}") ${payload}`),
  'Mutation.deleteExecution': work('COMPLETED', (id) => `deleteExecution(id: "${id}") { deletedId }`),
  'Mutation.triageFindings': {
    least: 'ANALYST',
    expected: (persona) => Array(2).fill(expectedOf(persona, 'ANALYST')).join(' '),
    run: async ({ token }, { finding, key }) => {
      const codes: string[] = [];
      for (const choice of [`ids: ["${finding}"]`, `filter: { project: "${key}" }`]) {
        const answer = await ask(
          `mutation { triageFindings(input: { ${choice}, comment: "x" }) { matched } }`,
          token,
        );
        const isEmpty = answer.body.data?.triageFindings?.matched === 0;
        codes.push(isEmpty ? 'NOT_FOUND' : codeOf(answer));
      }
      return codes.join(' ');
    },
  },
  'Mutation.importReport': {
    least: 'ANALYST',
    expected: (persona) => Array(2).fill(expectedOf(persona, 'ANALYST')).join(' '),
    run: async (caller, { key }) => {
      const running = await ownExecution(caller, key, 'RUNNING');
      const codes: string[] = [];
      for (const input of [
        { ...report, project: key },
        { executionId: running, format: 'SARIF', content: report.content },
      ])
        codes.push(codeOf(await server.change('importReport', input, 'import { id }', caller.token)));
      return codes.join(' ');
    },
  },
  'Mutation.createProject': {
    least: 'ADMIN',
    expected: ({ role, credential }) => (role === 'ADMIN' && credential === 'session' ? 'ok' : 'FORBIDDEN'),
    run: async ({ token, person }) =>
      codeOf(
        await ask(
          `mutation { createProject(input: { key: "p-${person.id.slice(-12)}", name: "x" }) { project { id } } }`,
          token,
        ),
      ),
  },
  'Mutation.updateProject': manage(
    ({ key }) => `updateProject(input: { key: "${key}", description: "x" }) { project { id } }`,
  ),
  'Mutation.setProjectMember': manage(
    ({ key }, { person }) => `setProjectMember(key: "${key}", userId: "${person.id}") { project { id } }`,
  ),
  'Mutation.deleteProject': manage(
    ({ key }) => `deleteProject(input: { key: "${key}", dryRun: true }) { executions }`,
  ),
  'Mutation.setExecutionHold': manage(({ run }) => `setExecutionHold(id: "${run}") ${payload}`),
  'Query.retentionPreview': {
    least: 'ADMIN',
    run: async ({ token }, { key }) =>
      codeOf(await ask(`{ retentionPreview(project: "${key}") { held } }`, token)),
  },
  'Mutation.setGatePolicy': manage(
    ({ key }) => `setGatePolicy(input: { project: "${key}", name: "own", maxHigh: 0 }) { policy { name } }`,
  ),
  'Mutation.deleteGatePolicy': {
    least: 'ADMIN',
    run: async ({ token }, { key }) => {
      const input = `{ project: "${key}", name: "gone", maxHigh: 0 }`;
      const made = await ask(`mutation { setGatePolicy(input: ${input}) { policy { name } } }`, adminToken);
      made.expectData();
      return codeOf(
        await ask(`mutation { deleteGatePolicy(project: "${key}", name: "gone") { deletedId } }`, token),
      );
    },
  },
  'Mutation.archiveProject': {
    least: 'ADMIN',
    run: async ({ token }, { key }) => {
      const code = codeOf(await ask(`mutation { archiveProject(key: "${key}") { project { id } } }`, token));
      await server.sql('UPDATE projects SET archived_at = NULL');
      return code;
    },
  },
  'Subscription.executionEvents': {
    least: 'VIEWER',
    run: async ({ token }, { execution }) => {
      const request = { query: eventsOf, variables: { executionId: execution } };
      const stream = subscribe('event stream', server.url, token, request);
      await endOf(stream);
      return stream.errors[0]?.code ?? (stream.events.length === 4 ? 'ok' : 'incomplete');
    },
  },
  'Subscription.executionsChanged': {
    least: 'VIEWER',
    expected: (persona) =>
      passesField(persona, 'VIEWER') ? (sees(persona) ? 'shown' : 'hidden') : 'FORBIDDEN',
    run: async (caller, { key }) => watchChanges(caller, key),
  },
  'Subscription.statisticsChanged': {
    least: 'VIEWER',
    expected: (persona) =>
      passesField(persona, 'VIEWER') ? (sees(persona) ? 'shown' : 'hidden') : 'FORBIDDEN',
    run: async ({ token }, { key }) => {
      const request = {
        query: 'subscription { live: statisticsChanged { topTargets { target } } }',
        variables: {},
      };
      const stream = subscribe('event stream', server.url, token, request);
      await until(() => stream.hasEnded() || stream.events.length > 0, 'the statistics');
      stream.stop();
      if (stream.events.length === 0) return stream.errors[0]?.code ?? 'ended';
      return JSON.stringify(stream.events).includes(`"target":"${key}"`) ? 'shown' : 'hidden';
    },
  },
};

/** Whether a change in the project comes before one that all but keys of it see. */
async function watchChanges(caller: Signed, key: string): Promise<string> {
  const open = server.services.streams.size();
  const stream = subscribe('event stream', server.url, caller.token, { query: changes, variables: {} });
  await until(() => stream.hasEnded() || server.services.streams.size() > open, 'the stream');
  if (stream.hasEnded()) return stream.errors[0]?.code ?? 'ended';
  const control = caller.credential === 'key of it' ? key : keys.another;
  const id = await createExecution(server, adminToken, { project: key });
  const last = await createExecution(server, adminToken, { project: control });
  await until(() => stream.events.some(({ execution }) => execution.id === last), 'the change that all see');
  stream.stop();
  return stream.events.some(({ execution }) => execution.id === id) ? 'shown' : 'hidden';
}

/** Root fields beside projects: accounts, users, the audit trail, sign-ins, and webhooks, which bound keys may not manage. */
const beside = /^(?:identity|profile|session|api_key|user|audit|webhook|sign_in|workload):/;
const schema = buildSchema();

describe('the table', () => {
  it('has every root field that reaches what belongs to a project', () => {
    const reaching = rootFields(schema).filter(
      ({ name, permission = '' }) =>
        name === 'Query.node' || (permission !== 'public' && !beside.test(permission)),
    );
    expect(Object.keys(cases).sort()).toEqual(reaching.map(({ name }) => name).sort());
  });

  it('has every edge to what belongs to a project', () => {
    const entities = /^(?:TestExecution|TestResult|Project|Finding|Import|Execution|Result)(?:Connection)?$/;
    const carriers = /^(?:Query|Mutation|Subscription)$|(?:Payload|Connection|Edge)$/;
    const found = Object.values(schema.getTypeMap()).flatMap((type) => {
      if (!isObjectType(type) || carriers.test(type.name)) return [];
      const fields = Object.values(type.getFields());
      return fields
        .filter((field) => entities.test(getNamedType(field.type).name))
        .map((field) => `${type.name}.${field.name}`);
    });
    expect(found.sort()).toEqual([...within, ...across].sort());
  });
});

describe.each(personas)('$name', (persona) => {
  it('gets what the role in the project allows, of every root field', async () => {
    const here = things[persona.visibility];
    const caller = await signIn(
      server,
      adminToken,
      persona,
      { here: here.key, another: keys.another },
      scopes,
    );
    const outcomes: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const [name, { least, run, expected: special }] of Object.entries(cases)) {
      if (name === 'Mutation.setProjectMember') continue; // it ends the membership: last
      outcomes[name] = await run(caller, here);
      expected[name] = special?.(persona) ?? expectedOf(persona, least);
    }
    const { run, least } = cases['Mutation.setProjectMember'] as Case;
    outcomes.setProjectMember = await run(caller, here);
    expected.setProjectMember = expectedOf(persona, least);
    expect(outcomes).toEqual(expected);
  });
});

/** Edges that stay within a project: they are reached only from what one sees. */
const within = [
  ...['TestExecution.project', 'TestExecution.results', 'TestResult.execution', 'TestResult.finding'],
  ...['ExecutionEvent.execution', 'ExecutionEvent.results'],
  ...['TestExecution.imports', 'Import.execution', 'RetentionPreview.project'],
  ...['ExecutionComparison.new', 'ExecutionComparison.fixed'],
  ...['ExecutionComparison.unchanged', 'ExecutionComparison.reopened'],
  ...['Finding.project', 'Finding.firstSeenIn', 'Finding.lastSeenIn', 'Finding.occurrences'],
  ...['Gate.base', 'Gate.findings'],
];
/** Edges that may lead into another project. */
const across = [
  ...['TestExecution.rerunOf', 'ApiKey.project', 'GroupMapping.project', 'Webhook.project'],
  'WorkloadTrust.project',
];

describe('an edge into another project', () => {
  it('is null for callers who do not see it', async () => {
    const persona = {
      name: '',
      role: 'ANALYST',
      membership: 'VIEWER',
      visibility: 'PRIVATE',
      credential: 'session',
    };
    const where = { here: keys.PRIVATE, another: keys.another };
    const caller = await signIn(server, adminToken, persona as Persona, where, scopes);
    const id = await createExecution(server, caller.person.token, { project: keys.another });
    await server.sql('UPDATE test_executions SET rerun_of_id = $1 WHERE id = $2', [
      ...[things.PRIVATE.execution.slice(4), id.slice(4)],
    ]);
    await server.change(
      'createApiKey',
      {
        ...{ name: 'k', scopes: ['execution:read'], project: keys.PRIVATE },
        expiresAt: new Date(server.clock.now() + 60_000).toISOString(),
      },
      'secret',
      caller.token,
    );
    const query = `{ execution(id: "${id}") { rerunOf { id } } me { apiKeys { project { key } } } }`;
    expect((await ask(query, caller.token)).expectData()).toEqual({
      execution: { rerunOf: { id: things.PRIVATE.execution } },
      me: { apiKeys: [{ project: { key: keys.PRIVATE } }] },
    });
    await ask(
      `mutation { setProjectMember(key: "${keys.PRIVATE}", userId: "${caller.person.id}") { project { id } } }`,
      adminToken,
    );
    expect((await ask(query, caller.token)).expectData()).toEqual({
      execution: { rerunOf: null },
      me: { apiKeys: [{ project: null }] },
    });
  });
});

describe('an invisible thing', () => {
  it('gives the very answer of a random id', async () => {
    const persona = {
      name: '',
      role: 'ANALYST',
      membership: null,
      visibility: 'PRIVATE',
      credential: 'session',
    };
    const where = { here: keys.PRIVATE, another: keys.another };
    const { token } = await signIn(server, adminToken, persona as Persona, where, scopes);
    const { execution, result, finding, key } = things.PRIVATE;
    const random = (id: string) => `${id.slice(0, -12)}00000000abcd`;
    const pairs: [query: (name: string) => string, hidden: string, missing: string][] = [
      [(id) => `{ execution(id: "${id}") { id } }`, execution, random(execution)],
      [(id) => `{ result(id: "${id}") { id } }`, result, random(result)],
      [(id) => `{ finding(id: "${id}") { id } }`, finding, random(finding)],
      [(id) => `{ import(id: "${id}") { id } }`, things.PRIVATE.import, random(things.PRIVATE.import)],
      [(id) => `{ node(id: "${id}") { id } }`, execution, random(execution)],
      [(name) => `{ project(key: "${name}") { id } }`, key, 'nowhere'],
      [(id) => `mutation { cancelExecution(id: "${id}") ${payload} }`, execution, random(execution)],
      [(id) => `mutation { rerunExecution(id: "${id}") ${payload} }`, execution, random(execution)],
      [(id) => `mutation { deleteExecution(id: "${id}") { deletedId } }`, execution, random(execution)],
      [
        (name) =>
          `mutation { createExecution(input: { name: "x", target: "y", kind: SAST, project: "${name}" }) ${payload} }`,
        key,
        'nowhere',
      ],
      [
        (name) => `{ executions(filter: { project: "${name}" }) { totalCount nodes { id } } }`,
        key,
        'nowhere',
      ],
      [
        (id) => `{ results(filter: { executionId: "${id}" }) { totalCount nodes { id } } }`,
        execution,
        random(execution),
      ],
    ];
    for (const [query, hidden, missing] of pairs) {
      const [first, second] = [await ask(query(hidden), token), await ask(query(missing), token)];
      const shown = ({ status, body }: GqlAnswer) => [
        status,
        body.data,
        body.errors?.map(({ message, path, extensions: { correlationId: _, ...rest } }) => [
          message,
          path,
          rest,
        ]),
      ];
      expect([query(''), shown(first)]).toEqual([query(''), shown(second)]);
    }
  });
});
