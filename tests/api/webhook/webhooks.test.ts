// Webhooks: events of imports, executions and decisions at a real receiver, signed, in order, at least once.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { importSarif, type Problem } from '../../kit/imports.js';
import { createProject, updateProject } from '../../kit/projects.js';
import { createWebhook, deliveriesOf, importRules, startReceiver, until } from '../../kit/receiver.js';
import { addResults, createExecution, createPerson, startExecution } from '../../kit/seed.js';
import { atEnd, useServer } from '../../kit/use.js';

const everything = [
  'import.completed',
  'finding.new',
  'finding.reopened',
  'finding.overdue',
  'execution.started',
  'execution.completed',
  'execution.failed',
  'triage.changed',
  'api_key.expiring',
];

const server = await useServer({
  WEBHOOK_PRIVATE_ADDRESSES: 'true',
  WEBHOOK_KEY: Buffer.alloc(32, 9).toString('base64'),
});
let token = await server.signIn();
const receiver = await startReceiver();
atEnd(() => receiver.close());
beforeEach(async () => {
  await server.sql('DELETE FROM webhooks');
  receiver.requests.length = 0;
  receiver.answer((response) => response.writeHead(204).end());
});

/** Turns the clock forward; the token may have expired by then. */
async function advance(ms: number): Promise<void> {
  server.clock.advance(ms);
  token = await server.signIn();
}

const types = () => receiver.requests.map(({ event }) => event.type);
const gql = (query: string, variables = {}) => server.gql(query, variables, token);
const waitForDeliveries = (id: string, isIt: (states: string[]) => boolean) =>
  until(
    () => deliveriesOf(server, token, id),
    (nodes) => isIt(nodes.map(({ state }) => state)),
  );
const allDelivered = (states: string[]) =>
  states.length > 0 && states.every((state) => state === 'DELIVERED');

describe('a webhook', () => {
  it('gets the events of an import in order, signed as Standard Webhooks defines', async () => {
    const { id, secret } = await createWebhook(server, token, { url: receiver.url, events: everything });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const execution = await importRules(server, token, 'signed', ['r1', 'r2']);
    await waitForDeliveries(id, allDelivered);
    expect(types()).toEqual(['execution.started', 'execution.completed', 'import.completed', 'finding.new']);
    const verifier = new Webhook(secret);
    for (const { body, headers } of receiver.requests) expect(verifier.verify(body, headers)).toBeTruthy();
    const [started, ended, imported, found] = receiver.requests.map(({ event }) => event.data);
    expect(started).toMatchObject({ id: execution, status: 'RUNNING', target: 'signed' });
    expect(ended).toMatchObject({
      id: execution,
      project: 'default',
      status: 'COMPLETED',
      counts: { high: 2 },
    });
    expect(imported).toMatchObject({ executionId: execution, newFindings: 2, added: 2, target: 'signed' });
    expect(found).toMatchObject({ executionId: execution, project: 'default', total: 2 });
    expect(found.findings).toHaveLength(2);
    expect(found.findings[0]).toMatchObject({
      id: expect.stringMatching(/^fnd_/),
      severity: 'HIGH',
      triage: 'OPEN',
    });
    const [first] = receiver.requests;
    expect(() => verifier.verify(`${first?.body} `, first?.headers ?? {})).toThrow();
  });

  it('gets one event for all new findings of an import, which describes at most 100', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    await importRules(
      server,
      token,
      'many',
      Array.from({ length: 130 }, (_, index) => `rule-${index}`),
    );
    await waitForDeliveries(id, allDelivered);
    expect(receiver.requests).toHaveLength(1);
    expect(receiver.requests[0]?.event.data.total).toBe(130);
    expect(receiver.requests[0]?.event.data.findings).toHaveLength(100);
  });

  it('gets reopened findings, and nothing where an import brings nothing new', async () => {
    const events = ['finding.new', 'finding.reopened'];
    await importRules(server, token, 'again', ['r1', 'r2']);
    await importRules(server, token, 'again', ['r1']);
    const { id } = await createWebhook(server, token, { url: receiver.url, events });
    await importRules(server, token, 'again', ['r1']);
    await importRules(server, token, 'again', ['r1', 'r2']);
    await waitForDeliveries(id, allDelivered);
    expect(types()).toEqual(['finding.reopened']);
    expect(receiver.requests[0]?.event.data).toMatchObject({ total: 1, findings: [{ ruleId: 'r2' }] });
  });

  it('gets the end of an execution and, once its results have met the findings, the new ones', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: everything });
    const execution = await startExecution(server, token);
    await addResults(server, token, execution, [{ title: 'T', severity: 'LOW', location: { path: 'a' } }]);
    (
      await gql('mutation($id: ID!) { completeExecution(id: $id) { execution { id } } }', { id: execution })
    ).expectData();
    await waitForDeliveries(id, (states) => states.length === 3 && allDelivered(states));
    expect(types()).toEqual(['execution.started', 'execution.completed', 'finding.new']);
  });

  it('gets starts and claims of executions, failures, cancellations and interruptions, each signed', async () => {
    const events = ['execution.started', 'execution.failed'];
    const { id, secret } = await createWebhook(server, token, { url: receiver.url, events });
    const failed = await startExecution(server, token, { target: 'failing' });
    const fail =
      'mutation($id: ID!) { failExecution(id: $id, errorMessage: "no route") { execution { id } } }';
    (await gql(fail, { id: failed })).expectData();
    const queued = await createExecution(server, token, { target: 'cancelled' });
    const cancel = 'mutation($id: ID!) { cancelExecution(id: $id) { execution { id } } }';
    (await gql(cancel, { id: queued })).expectData();
    const claimed = await createExecution(server, token, { target: 'claimed', kind: 'MANUAL' });
    const claim =
      'mutation($input: ClaimExecutionInput!) { claimExecution(input: $input) { execution { id } } }';
    const input = { kinds: ['MANUAL'], runner: 'r', leaseSeconds: 30 };
    expect((await gql(claim, { input })).expectData().claimExecution.execution.id).toBe(claimed);
    await advance(31_000);
    await waitForDeliveries(id, (states) => states.length === 5 && allDelivered(states));
    const seen = receiver.requests.map(
      ({ event }) => `${event.type} ${event.data.target} ${event.data.status}`,
    );
    expect(seen.sort()).toEqual([
      'execution.failed cancelled CANCELLED',
      'execution.failed claimed INTERRUPTED',
      'execution.failed failing FAILED',
      'execution.started claimed RUNNING',
      'execution.started failing RUNNING',
    ]);
    const verifier = new Webhook(secret);
    for (const { body, headers } of receiver.requests) expect(verifier.verify(body, headers)).toBeTruthy();
  });

  it('gets one event for findings whose due date has passed, and another one only after the date has changed', async () => {
    const project = await createProject(server, token);
    await updateProject(server, token, { key: project, daysToFix: { high: 2 } });
    const { id } = await createWebhook(server, token, {
      url: receiver.url,
      events: ['finding.overdue'],
      project,
    });
    await importRules(server, token, 'overdue', ['r1', 'r2'], project);
    await advance(2 * 86_400_000 + 1000);
    await waitForDeliveries(id, (states) => states.length === 1 && allDelivered(states));
    const dueAt = receiver.requests[0]?.event.data.findings[0].dueAt;
    expect(Date.parse(dueAt)).toBeLessThan(server.clock.now());
    expect(receiver.requests[0]?.event).toMatchObject({
      type: 'finding.overdue',
      data: { project, total: 2, findings: [{ severity: 'HIGH', triage: 'OPEN' }, { dueAt }] },
    });
    await updateProject(server, token, { key: project, daysToFix: { high: 3 } });
    await advance(86_400_000 + 1000);
    await waitForDeliveries(id, (states) => states.length === 2 && allDelivered(states));
    // A shorter limit is over at once; findings that nobody has to fix are not reported.
    const filter = { project, ruleId: 'r1' };
    const input = { filter, state: 'FALSE_POSITIVE', reason: 'none' };
    await gql('mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }', {
      input,
    });
    await updateProject(server, token, { key: project, daysToFix: { high: 1 } });
    await waitForDeliveries(id, (states) => states.length === 3 && allDelivered(states));
    expect(receiver.requests.map(({ event }) => event.data.total)).toEqual([2, 2, 1]);
  });

  it('gets only findings of its least severity, and no event where there are none', async () => {
    const events = ['finding.new', 'import.completed', 'triage.changed'];
    const { id } = await createWebhook(server, token, { url: receiver.url, events, leastSeverity: 'HIGH' });
    const stored = await gql('query($id: ID!) { node(id: $id) { ... on Webhook { leastSeverity } } }', {
      id,
    });
    expect(stored.expectData().node.leastSeverity).toBe('HIGH');
    const report = (problems: Problem[]) => importSarif(server, token, { target: 'severe' }, problems);
    await report([{ rule: 'r1' }, { rule: 'r2', level: 'note' }]);
    await report([{ rule: 'r1' }, { rule: 'r2', level: 'note' }, { rule: 'r3', level: 'warning' }]);
    const input = { filter: { target: 'severe', ruleId: 'r2' }, state: 'CONFIRMED' };
    await gql('mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }', {
      input,
    });
    await report([{ rule: 'r1' }, { rule: 'r4' }]);
    await waitForDeliveries(id, (states) => states.length === 5 && allDelivered(states));
    const found = receiver.requests
      .filter(({ event }) => event.type === 'finding.new')
      .map(({ event }) => event.data);
    expect(found).toMatchObject([
      { total: 1, findings: [{ ruleId: 'r1' }] },
      { total: 1, findings: [{ ruleId: 'r4' }] },
    ]);
  });

  it('gets decisions, one event for each project', async () => {
    const key = await createProject(server, token);
    await importRules(server, token, 'decided', ['d1', 'd2']);
    await importRules(server, token, 'decided', ['d3'], key);
    const all = await createWebhook(server, token, { url: receiver.url, events: ['triage.changed'] });
    const one = await createWebhook(server, token, {
      url: receiver.url,
      events: ['triage.changed'],
      project: key,
    });
    const found = await gql('{ findings(first: 100, filter: { target: "decided" }) { nodes { id } } }');
    const ids = found.expectData().findings.nodes.map((node: { id: string }) => node.id);
    const input = { ids, state: 'CONFIRMED' };
    (
      await gql('mutation($input: TriageFindingsInput!) { triageFindings(input: $input) { changed } }', {
        input,
      })
    ).expectData();
    await waitForDeliveries(all.id, (states) => states.length === 2 && allDelivered(states));
    const [only] = await waitForDeliveries(one.id, allDelivered);
    const events = receiver.requests.map(({ event }) => event.data);
    expect(events.map(({ project, total }) => [project, total]).sort()).toEqual([
      ['default', 2],
      [key, 1],
      [key, 1],
    ]);
    expect(
      receiver.requests.find(({ headers }) => headers['webhook-id'] === only?.id)?.event.data,
    ).toMatchObject({
      project: key,
      findings: [{ ruleId: 'd3', from: 'OPEN', to: 'CONFIRMED', triage: 'CONFIRMED' }],
    });
  });

  it('gets only events of its project', async () => {
    const key = await createProject(server, token);
    const { id } = await createWebhook(server, token, {
      url: receiver.url,
      events: ['finding.new'],
      project: key,
    });
    await importRules(server, token, 'elsewhere', ['r1']);
    await importRules(server, token, 'here', ['r2'], key);
    await waitForDeliveries(id, allDelivered);
    expect(receiver.requests.map(({ event }) => event.data.project)).toEqual([key]);
  });
});

describe('a delivery', () => {
  it('is repeated after a failure under the same id, and later events wait for it', async () => {
    let failures = 2;
    receiver.answer((response) => {
      failures -= 1;
      response.writeHead(failures >= 0 ? 500 : 204).end();
    });
    const { id } = await createWebhook(server, token, { url: receiver.url, events: everything });
    await importRules(server, token, 'failing', ['r1']);
    await until(
      () => receiver.requests.length,
      (count) => count === 1,
    );
    const [first] = (await waitForDeliveries(id, (states) => states.length === 4)).reverse();
    await advance(10_000);
    await until(
      () => receiver.requests.length,
      (count) => count === 2,
    );
    await until(
      () => deliveriesOf(server, token, id),
      (nodes) => nodes.at(-1)?.attempts === 2,
    );
    expect((await deliveriesOf(server, token, id)).at(-1)).toMatchObject({
      state: 'PENDING',
      lastStatus: 500,
      lastError: 'answered 500',
    });
    await advance(60_000);
    await waitForDeliveries(id, allDelivered);
    expect(types()).toEqual([
      ...['execution.started', 'execution.started', 'execution.started'],
      ...['execution.completed', 'import.completed', 'finding.new'],
    ]);
    const ids = receiver.requests.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids.slice(0, 3))).toEqual(new Set([first?.id]));
  });

  it('waits for no event of another target', async () => {
    receiver.answer((response, { event }) =>
      response.writeHead(JSON.stringify(event).includes('refused') ? 500 : 204).end(),
    );
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['import.completed'] });
    await importRules(server, token, 'refused', ['r1']);
    await until(
      () => deliveriesOf(server, token, id),
      (nodes) => nodes[0]?.attempts === 1,
    );
    await importRules(server, token, 'refused', ['r1']);
    await importRules(server, token, 'welcome', ['r1']);
    await advance(5000); // the webhook rests after a turn without a success
    const nodes = await until(
      () => deliveriesOf(server, token, id),
      ([newest]) => newest?.state === 'DELIVERED',
    );
    expect(nodes.map(({ state }) => state)).toEqual(['DELIVERED', 'PENDING', 'PENDING']);
    expect(nodes[1]?.attempts).toBe(0);
  });

  it('fails after its last attempt, which is not long after a day, and the next one is tried', async () => {
    receiver.answer((response) => response.writeHead(500).end());
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    await importRules(server, token, 'hopeless', ['r1']);
    const begun = server.clock.now();
    for (let attempt = 1; attempt <= 11; attempt += 1) {
      const [node] = await until(
        () => deliveriesOf(server, token, id),
        (nodes) => nodes[0]?.attempts === attempt,
      );
      if (node?.nextAttemptAt != null)
        await advance(Math.max(0, Date.parse(node.nextAttemptAt) - server.clock.now()));
    }
    expect((await deliveriesOf(server, token, id))[0]).toMatchObject({
      state: 'FAILED',
      nextAttemptAt: null,
    });
    const hours = (server.clock.now() - begun) / 3_600_000;
    expect(hours).toBeGreaterThan(20);
    expect(hours).toBeLessThan(27);
    receiver.answer((response) => response.writeHead(204).end());
    await importRules(server, token, 'hopeless', ['r2']);
    await waitForDeliveries(id, (states) => states[0] === 'DELIVERED');
  });

  it('is sent again on request', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    await importRules(server, token, 'redelivered', ['r1']);
    const [delivery] = await waitForDeliveries(id, allDelivered);
    const redeliver = () =>
      gql('mutation($id: ID!) { redeliverWebhook(deliveryId: $id) { webhook { id } secret } }', {
        id: delivery?.id,
      });
    expect((await redeliver()).expectData().redeliverWebhook).toEqual({ webhook: { id }, secret: null });
    await until(
      () => receiver.requests.length,
      (count) => count === 2,
    );
    expect(receiver.requests[1]?.body).toBe(receiver.requests[0]?.body);
    expect(receiver.requests[1]?.headers['webhook-id']).toBe(delivery?.id);
    await waitForDeliveries(id, allDelivered);
    (
      await gql(
        'mutation($id: ID!) { setWebhookActive(id: $id, isActive: false) { webhook { isActive } } }',
        { id },
      )
    ).expectData();
    (await redeliver()).expectError('CONFLICT');
    const node = await gql('query($id: ID!) { node(id: $id) { id ... on WebhookDelivery { event } } }', {
      id: delivery?.id,
    });
    expect(node.expectData().node).toEqual({ id: delivery?.id, event: 'finding.new' });
  });

  it('is not lost when the server stops in between', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    await importRules(server, token, 'restarted', ['r1']);
    await waitForDeliveries(id, allDelivered);
    // As a process leaves it that is killed after sending and before noting.
    await server.sql(`UPDATE webhook_deliveries SET state = 'PENDING', next_attempt_at = now()`);
    await server.sql(`UPDATE webhooks SET leased_until = $1`, [new Date(server.clock.now() + 60_000)]);
    const sent = receiver.requests.length;
    await advance(61_000);
    await until(
      () => receiver.requests.length,
      (count) => count > sent,
    );
    await waitForDeliveries(id, allDelivered);
  });
});

describe('a receiver', () => {
  const deliver = async (target: string) => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    await importRules(server, token, target, ['r1']);
    const [node] = await until(
      () => deliveriesOf(server, token, id),
      (nodes) => (nodes[0]?.attempts ?? 0) > 0,
    );
    return { id, node };
  };

  it('that redirects gets no further request', async () => {
    receiver.answer((response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/inner' }).end());
    const { node } = await deliver('redirecting');
    expect(node).toMatchObject({
      state: 'PENDING',
      lastStatus: 302,
      lastError: 'answered 302: redirects are not followed',
    });
    expect(receiver.requests).toHaveLength(1);
  });

  it('that answers 10 MB and more is cut off', async () => {
    receiver.answer((response) => response.writeHead(200).write(Buffer.alloc(10_000_000))); // and does not end
    const { node } = await deliver('talkative');
    expect(node).toMatchObject({ state: 'DELIVERED', lastStatus: 200 });
  });

  it('that hangs holds up no other one', async () => {
    receiver.answer((response, { path }) => {
      if (path !== '/hook') response.writeHead(204).end();
    });
    const hanging = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    const other = await createWebhook(server, token, { url: `${receiver.url}-2`, events: ['finding.new'] });
    await importRules(server, token, 'hanging', ['r1']);
    await waitForDeliveries(other.id, allDelivered);
    const [node] = await until(
      () => deliveriesOf(server, token, hanging.id),
      (nodes) => nodes[0]?.attempts === 1,
    );
    expect(node).toMatchObject({ state: 'PENDING', lastStatus: null, lastError: 'no answer within 10 s' });
  });

  it('that cannot be reached is named in the log by the fault alone', async () => {
    const { id } = await createWebhook(server, token, {
      url: 'http://127.0.0.1:1/',
      events: ['finding.new'],
    });
    await importRules(server, token, 'closed', ['r1']);
    const [node] = await until(
      () => deliveriesOf(server, token, id),
      (nodes) => nodes[0]?.attempts === 1,
    );
    expect(node).toMatchObject({ lastStatus: null, lastError: 'ECONNREFUSED' });
  });

  it.each([
    ['three days without a success', 500, 3 * 86_400_000 + 1000],
    ['the answer 410', 410, 0],
  ])('is switched off after %s, with an audit event', async (_name, status, ms) => {
    receiver.answer((response) => response.writeHead(status).end());
    const { id } = await deliver(`off-${status}`);
    if (ms > 0) await advance(ms);
    const isActive = async () =>
      (await gql('query($id: ID!) { node(id: $id) { ... on Webhook { isActive } } }', { id })).expectData()
        .node.isActive;
    await until(isActive, (value) => value === false);
    const audit = await gql(
      'query($id: ID!) { auditEvents(filter: { targetId: $id }) { nodes { action outcome actorLabel targetId } } }',
      { id },
    );
    expect(audit.expectData().auditEvents.nodes[0]).toEqual({
      action: 'webhook.switch_off',
      outcome: 'FAILURE',
      actorLabel: 'system',
      targetId: id,
    });
  });
});

describe('managing webhooks', () => {
  it('is for admins', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: everything });
    const { token: analyst } = await createPerson(server, token, 'ANALYST');
    for (const query of [
      '{ webhooks { id } }',
      'mutation { createWebhook(input: { url: "https://a.example", events: ["finding.new"] }) { secret } }',
      `mutation { setWebhookActive(id: "${id}", isActive: false) { secret } }`,
      `mutation { deleteWebhook(id: "${id}") { deletedId } }`,
    ])
      (await server.gql(query, {}, analyst)).expectError('FORBIDDEN');
    (await server.gql(`{ node(id: "${id}") { id } }`, {}, analyst)).expectError('NOT_FOUND');
  });

  it('names the field of bad input', async () => {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: everything });
    const create = (input: object) =>
      gql('mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }', { input });
    const url = receiver.url;
    for (const [input, path] of [
      [{ url: 'ftp://a.example', events: ['finding.new'] }, 'input.url'],
      [{ url: 'https://u:p@a.example', events: ['finding.new'] }, 'input.url'],
      [{ url, events: [] }, 'input.events'],
      [{ url, events: ['finding.lost'] }, 'input.events.0'],
      [{ url, events: ['finding.new', 'finding.new'] }, 'input.events'],
      [{ url, events: ['finding.new'], project: 'nowhere' }, 'input.project'],
    ] as const) {
      const { fields } = (await create(input)).expectError('VALIDATION_FAILED').extensions;
      expect(fields?.map((field) => field.path)).toEqual([path]);
    }
    const page = (args: string) =>
      gql(`query ($id: ID!) { node(id: $id) { ... on Webhook { deliveries(${args}) { nodes { id } } } } }`, {
        id,
      });
    const forged = Buffer.from(`NUMBER:${'0'.repeat(36)}`).toString('base64url');
    for (const args of ['first: 101', 'first: 0', 'after: "x"', `after: "${forged}"`])
      (await page(args)).expectError('VALIDATION_FAILED');
  });

  it('lists, switches and deletes', async () => {
    const { id, secret } = await createWebhook(server, token, { url: receiver.url, events: ['finding.new'] });
    const listed = await gql(
      '{ webhooks { id url events isActive project { key } deliveries { totalCount } } }',
    );
    expect(listed.expectData().webhooks).toEqual([
      {
        id,
        url: receiver.url,
        events: ['finding.new'],
        isActive: true,
        project: null,
        deliveries: { totalCount: 0 },
      },
    ]);
    const [stored] = await server.sql<{ secret: Buffer }>('SELECT secret FROM webhooks');
    expect(stored?.secret.includes(Buffer.from(secret.slice(6), 'base64'))).toBe(false);
    (
      await gql('mutation($id: ID!) { setWebhookActive(id: $id, isActive: false) { secret } }', { id })
    ).expectData();
    await importRules(server, token, 'switched', ['r1']);
    expect(await deliveriesOf(server, token, id)).toEqual([]);
    const gone = await gql('mutation($id: ID!) { deleteWebhook(id: $id) { deletedId } }', { id });
    expect(gone.expectData().deleteWebhook.deletedId).toBe(id);
    (await gql('mutation($id: ID!) { deleteWebhook(id: $id) { deletedId } }', { id })).expectError(
      'NOT_FOUND',
    );
  });

  it.each([
    [{ url: 'ftp://a.example', events: ['finding.new'] }, 'input.url'],
    [{ url: 'https://user:pass@a.example', events: ['finding.new'] }, 'input.url'],
    [{ url: 'https://a.example/#x', events: ['finding.new'] }, 'input.url'],
    [{ url: 'https://a.example', events: [] }, 'input.events'],
    [{ url: 'https://a.example', events: ['finding.new', 'finding.new'] }, 'input.events'],
    [{ url: 'https://a.example', events: ['toString'] }, 'input.events.0'],
    [{ url: 'https://a.example', events: ['finding.new'], project: 'nowhere' }, 'input.project'],
  ])('refuses %j', async (input, path) => {
    const answer = await gql(
      'mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }',
      { input },
    );
    expect(answer.expectError('VALIDATION_FAILED').extensions.fields).toEqual([
      expect.objectContaining({ path }),
    ]);
  });
});
