// Each audited action: docs/audit.md lists it, and a test names it; actions that no other test names happen here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { TOTP } from 'otpauth';
import { vocabulary } from '../../../src/features/audit/audit-actions.js';
import { importSarif } from '../../kit/imports.js';
import { createWebhook, deliveriesOf, startReceiver, until } from '../../kit/receiver.js';
import { addResults, createExecution, password, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const actions = Object.keys(vocabulary);

const server = await useServer({
  OIDC_PROVIDERS: JSON.stringify([
    { id: 'company', name: 'Company', issuer: 'https://id.example.com', clientId: 'sec-tester' },
  ]),
  WEBHOOK_PRIVATE_ADDRESSES: 'true',
});
const token = await server.signIn();

/** Runs a mutation; its payload. */
async function run(field: string, selection: string, variables: Record<string, unknown>, as = token) {
  const names = Object.keys(variables);
  const types: Record<string, string> = {
    ...{ input: `${field[0]?.toUpperCase()}${field.slice(1)}Input!`, isActive: 'Boolean!' },
    ...{ code: 'String!', key: 'String!', errorMessage: 'String!' },
  };
  const declared = names.map((name) => `$${name}: ${types[name] ?? 'ID!'}`);
  const answer = await server.gql(
    `mutation(${declared.join(', ')}) { ${field}(${names.map((name) => `${name}: $${name}`).join(', ')}) ${selection} }`,
    variables,
    as,
  );
  return answer.expectData()[field];
}

const happened = async () => {
  const rows = await server.sql<{ action: string }>('SELECT DISTINCT action FROM audit_events');
  return rows.map(({ action }) => action);
};

it('docs/audit.md lists every action, and no other', () => {
  const listed = [...readFileSync('docs/audit.md', 'utf8').matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)];
  expect(listed.map(([, action]) => action).sort()).toEqual([...actions].sort());
});

it('a test names every action', () => {
  const files = readdirSync('tests', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const all = files.map((name) => readFileSync(join('tests', name), 'utf8')).join('\n');
  expect(actions.filter((action) => !all.includes(`'${action}'`) && !all.includes(`"${action}"`))).toEqual(
    [],
  );
});

it('users: invitations, resets, second factors, sessions and service accounts', async () => {
  const email = 'invited@people.test';
  const input = { email, name: 'Invited', role: 'ANALYST' };
  const { user } = await run('createUser', '{ user { id } }', { input });
  const { invitation } = await run('resendInvitation', '{ invitation { token } }', { id: user.id });
  await run('setPassword', '{ user { id } }', { input: { token: invitation.token, newPassword: password } });
  await run('unlockUser', '{ user { id } }', { id: user.id });
  const own = await server.signIn(email, password);
  const { secret } = (await server.gql('mutation { enrolSecondFactor { secret } }', {}, own)).expectData()
    .enrolSecondFactor;
  const code = () => new TOTP({ secret }).generate({ timestamp: server.clock.now() });
  await run('confirmSecondFactor', '{ recoveryCodes }', { code: code() }, own);
  await run('removeSecondFactor', '{ user { id } }', { userId: user.id });
  (
    await server.gql(
      'mutation($id: ID) { endSessions(userId: $id) { revokedSessions } }',
      { id: user.id },
      token,
    )
  ).expectData();
  await run('resetPassword', '{ user { id } }', { id: user.id });
  const other = await run('createUser', '{ user { id } }', {
    input: { ...input, email: 'other@people.test' },
  });
  await run('revokeInvitation', '{ user { id } }', { id: other.user.id });
  await run('createServiceAccount', '{ user { id } }', { input: { name: 'CI', role: 'ANALYST' } });
  const expiresAt = new Date(server.clock.now() + 86_400_000).toISOString();
  const key = await run('createApiKey', '{ apiKey { id } }', {
    input: { name: 'Key', scopes: ['result:read'], expiresAt },
  });
  await run('rotateApiKey', '{ apiKey { id } }', { input: { id: key.apiKey.id } });
  expect(await happened()).toEqual(
    expect.arrayContaining([
      ...['user.resend_invitation', 'auth.set_password', 'user.unlock', 'second_factor.confirm'],
      ...['second_factor.remove', 'user.reset_password', 'user.revoke_invitation', 'session.revoke_all'],
      ...['user.create_service_account', 'api_key.rotate'],
    ]),
  );
});

it('executions, reports, gates, projects and groups', async () => {
  const id = await startExecution(server, token);
  await addResults(server, token, id, [{ title: 'Problem', severity: 'HIGH' }]);
  const queued = await createExecution(server, token);
  await run('cancelExecution', '{ execution { id } }', { id: queued });
  const { execution } = await run('rerunExecution', '{ execution { id } }', { id: queued });
  await run('deleteExecution', '{ deletedId }', { id: queued });
  expect(execution.id).not.toBe(queued);
  await importSarif(server, token, { target: 'shop' }, [{ rule: 'one' }]);
  await run('completeExecution', '{ execution { id } }', { id });
  const failed = await startExecution(server, token);
  await run('failExecution', '{ execution { id } }', { id: failed, errorMessage: 'No answer' });
  await run('createProject', '{ project { id } }', { input: { key: 'old', name: 'Old' } });
  await run('archiveProject', '{ project { id } }', { key: 'old' });
  await run('updateProject', '{ project { id } }', { input: { key: 'default', description: 'All' } });
  await run('setGatePolicy', '{ policy { name } }', {
    input: { project: 'default', name: 'strict', maxCritical: 0 },
  });
  const { groupMapping } = await run('setGroupMapping', '{ groupMapping { id } }', {
    input: { provider: 'company', group: 'analysts', role: 'ANALYST' },
  });
  await run('deleteGroupMapping', '{ deletedId }', { id: groupMapping.id });
  expect(await happened()).toEqual(
    expect.arrayContaining([
      ...[
        'execution.add_results',
        'execution.cancel',
        'execution.rerun',
        'execution.delete',
        'report.import',
      ],
      ...['execution.start', 'execution.complete', 'execution.fail', 'project.archive'],
      ...['project.update', 'gate_policy.set', 'group_mapping.set', 'group_mapping.delete'],
    ]),
  );
});

it('webhooks, and an acceptance that ends', async () => {
  const receiver = await startReceiver();
  try {
    const { id } = await createWebhook(server, token, { url: receiver.url, events: ['execution.completed'] });
    await importSarif(server, token, { target: 'hooked' }, [{ rule: 'two' }]);
    const [delivery] = await until(
      () => deliveriesOf(server, token, id),
      ([node]) => node?.state === 'DELIVERED',
    );
    await run('redeliverWebhook', '{ webhook { id } }', { deliveryId: delivery?.id });
    await run('setWebhookActive', '{ webhook { id } }', { id, isActive: false });
    await run('deleteWebhook', '{ deletedId }', { id });
  } finally {
    await receiver.close();
  }
  const acceptedUntil = new Date(server.clock.now() + 3_600_000).toISOString();
  const filter = { target: 'hooked' };
  await run('triageFindings', '{ matched }', {
    input: { filter, state: 'RISK_ACCEPTED', reason: 'Behind a firewall', acceptedUntil },
  });
  server.clock.advance(7_200_000);
  await server.services.findings.expireAcceptances();
  await until(happened, (names) => names.includes('finding.expire_acceptance'));
  expect(await happened()).toEqual(
    expect.arrayContaining(['webhook.create', 'webhook.redeliver', 'webhook.set_active', 'webhook.delete']),
  );
});
