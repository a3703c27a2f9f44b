// Role × root field through HTTP: who is let in, who is FORBIDDEN, and that nobody gets in without a sign-in.
import { describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import { buildSchema, rootFields } from '../../../src/api/schema.js';
import { admin } from '../../kit/harness.js';
import { createExecution, createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const everyone = 'anonymous viewer analyst admin';
const signedIn = 'viewer analyst admin';
const workers = 'analyst admin';

const execution = `exe_${v7()}`;
const user = `usr_${v7()}`;
const onExecution = (name: string, args = '') =>
  `mutation { ${name}(id: "${execution}"${args}) { execution { id } } }`;
const passkeyAnswer = `{ id: "aa", rawId: "aa", type: "public-key", response: {
  clientDataJSON: "aa", attestationObject: "aa", authenticatorData: "aa", signature: "aa" } }`;
const onUser = (name: string) => `mutation { ${name}(id: "${user}") { user { id } } }`;

/**
 * Root field → who may use it, an operation, and what those who may get: data ("ok") or this code, where the
 * operation names a thing that is not there.
 */
const matrix: Record<string, [who: string, operation: string, outcome: string]> = {
  'Query.me': [signedIn, '{ me { id } }', 'ok'],
  'Query.node': [signedIn, `{ node(id: "${execution}") { id } }`, 'NOT_FOUND'],
  'Query.user': ['admin', `{ user(id: "${user}") { id } }`, 'NOT_FOUND'],
  'Query.users': ['admin', '{ users { totalCount } }', 'ok'],
  'Query.execution': [signedIn, `{ execution(id: "${execution}") { id } }`, 'NOT_FOUND'],
  'Query.executions': [signedIn, '{ executions { totalCount } }', 'ok'],
  'Query.result': [signedIn, `{ result(id: "res_${v7()}") { id } }`, 'NOT_FOUND'],
  'Query.results': [signedIn, '{ results { totalCount } }', 'ok'],
  'Query.project': [signedIn, '{ project(key: "nowhere") { id } }', 'NOT_FOUND'],
  'Query.projects': [signedIn, '{ projects { totalCount } }', 'ok'],
  'Query.finding': [signedIn, `{ finding(id: "fnd_${v7()}") { id } }`, 'NOT_FOUND'],
  'Query.findings': [signedIn, '{ findings { totalCount } }', 'ok'],
  'Query.import': [signedIn, `{ import(id: "imp_${v7()}") { id } }`, 'NOT_FOUND'],
  'Query.compareExecutions': [
    signedIn,
    `{ compareExecutions(base: "${execution}", head: "${execution}") { new { totalCount } } }`,
    'NOT_FOUND',
  ],
  'Query.gate': [signedIn, `{ gate(executionId: "${execution}", policy: {}) { verdict } }`, 'NOT_FOUND'],
  'Query.statistics': [signedIn, '{ statistics { overdue } }', 'ok'],
  'Query.groupMappings': ['admin', '{ groupMappings { id } }', 'ok'],
  'Mutation.setGroupMapping': [
    'admin',
    'mutation { setGroupMapping(input: { provider: "none", group: "g", role: VIEWER }) { groupMapping { id } } }',
    'VALIDATION_FAILED',
  ],
  'Mutation.deleteGroupMapping': [
    'admin',
    `mutation { deleteGroupMapping(id: "gmp_${v7()}") { deletedId } }`,
    'NOT_FOUND',
  ],
  'Query.undeliveredMails': ['admin', '{ undeliveredMails { totalCount } }', 'ok'],
  'Query.workloadTrusts': ['admin', '{ workloadTrusts { id } }', 'ok'],
  'Mutation.createWorkloadTrust': [
    'admin',
    `mutation { createWorkloadTrust(input: { name: "n", issuer: "https://ci.example", audience: "a", scopes: ["execution:read"],
      claims: [{ claim: "repository", pattern: "acme/shop" }], serviceAccountId: "${user}" }) { workloadTrust { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.updateWorkloadTrust': [
    'admin',
    `mutation { updateWorkloadTrust(input: { id: "wtr_${v7()}", name: "n" }) { workloadTrust { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.deleteWorkloadTrust': [
    'admin',
    `mutation { deleteWorkloadTrust(id: "wtr_${v7()}") { deletedId } }`,
    'NOT_FOUND',
  ],
  'Query.scimTokens': ['admin', '{ scimTokens { id } }', 'ok'],
  'Mutation.createScimToken': [
    'admin',
    'mutation { createScimToken(input: { name: "d", provider: "none" }) { secret } }',
    'VALIDATION_FAILED',
  ],
  'Mutation.revokeScimToken': [
    'admin',
    `mutation { revokeScimToken(id: "sct_${v7()}") { secret } }`,
    'NOT_FOUND',
  ],
  'Query.webhooks': ['admin', '{ webhooks { id } }', 'ok'],
  'Mutation.createWebhook': [
    'admin',
    'mutation { createWebhook(input: { url: "https://example.com/hook", events: ["finding.new"] }) { webhook { id } } }',
    'ok',
  ],
  'Mutation.setWebhookActive': [
    'admin',
    `mutation { setWebhookActive(id: "whk_${v7()}", isActive: false) { webhook { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.deleteWebhook': [
    'admin',
    `mutation { deleteWebhook(id: "whk_${v7()}") { deletedId } }`,
    'NOT_FOUND',
  ],
  'Mutation.redeliverWebhook': [
    'admin',
    `mutation { redeliverWebhook(deliveryId: "whd_${v7()}") { webhook { id } } }`,
    'NOT_FOUND',
  ],
  'Query.auditEvents': ['admin', '{ auditEvents { totalCount } }', 'ok'],
  'Mutation.login': [
    everyone,
    `mutation { login(input: { email: "${admin.email}", password: "${admin.password}" }) { expiresIn } }`,
    'ok',
  ],
  'Mutation.refreshToken': [
    everyone,
    'mutation { refreshToken(refreshToken: "") { expiresIn } }',
    'VALIDATION_FAILED',
  ],
  'Mutation.logout': [signedIn, 'mutation { logout { revokedSessions } }', 'ok'],
  'Mutation.revokeSession': [
    signedIn,
    `mutation { revokeSession(id: "ses_${v7()}") { revokedSessions } }`,
    'NOT_FOUND',
  ],
  'Mutation.endSessions': [
    'admin',
    `mutation { endSessions(userId: "${user}") { revokedSessions } }`,
    'NOT_FOUND',
  ],
  'Mutation.resetPassword': [
    'admin',
    `mutation { resetPassword(id: "${user}") { user { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.resendInvitation': ['admin', onUser('resendInvitation'), 'NOT_FOUND'],
  'Mutation.revokeInvitation': ['admin', onUser('revokeInvitation'), 'NOT_FOUND'],
  'Mutation.unlinkIdentity': [
    'admin',
    `mutation { unlinkIdentity(id: "idn_${v7()}") { user { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.unlockUser': ['admin', onUser('unlockUser'), 'NOT_FOUND'],
  'Mutation.setPassword': [
    everyone,
    'mutation { setPassword(input: { token: "", newPassword: "x" }) { user { id } } }',
    'VALIDATION_FAILED',
  ],
  'Mutation.startPasskeyLogin': [everyone, 'mutation { startPasskeyLogin { state } }', 'ok'],
  'Mutation.loginWithPasskey': [
    everyone,
    `mutation { loginWithPasskey(input: { state: "s", response: ${passkeyAnswer} }) { expiresIn } }`,
    'INVALID_CREDENTIALS',
  ],
  'Mutation.enrolPasskey': [signedIn, 'mutation { enrolPasskey { state } }', 'ok'],
  'Mutation.confirmPasskey': [
    signedIn,
    `mutation { confirmPasskey(input: { state: "s", name: "n", response: ${passkeyAnswer} }) { recoveryCodes } }`,
    'INVALID_CREDENTIALS',
  ],
  'Mutation.renamePasskey': [
    signedIn,
    `mutation { renamePasskey(input: { id: "pky_${v7()}", name: "n" }) { recoveryCodes } }`,
    'NOT_FOUND',
  ],
  'Mutation.removePasskey': [
    signedIn,
    `mutation { removePasskey(id: "pky_${v7()}") { deletedId } }`,
    'NOT_FOUND',
  ],
  'Mutation.requestPasswordReset': [
    everyone,
    'mutation { requestPasswordReset(email: "") { isAccepted } }',
    'VALIDATION_FAILED',
  ],
  'Mutation.enrolSecondFactor': [signedIn, 'mutation { enrolSecondFactor { secret } }', 'ok'],
  'Mutation.confirmSecondFactor': [
    signedIn,
    'mutation { confirmSecondFactor(code: "wrong") { recoveryCodes } }',
    'INVALID_CREDENTIALS',
  ],
  'Mutation.removeSecondFactor': [signedIn, 'mutation { removeSecondFactor { user { id } } }', 'ok'],
  'Mutation.changePassword': [
    signedIn,
    'mutation { changePassword(input: { currentPassword: "wrong", newPassword: "otter bicycle 5521 velvet" }) { user { id } } }',
    'INVALID_CREDENTIALS',
  ],
  'Mutation.createApiKey': [
    signedIn,
    `mutation { createApiKey(input: { name: "CI", scopes: ["execution:read"], expiresAt: "${new Date(Date.now() + 86_400_000).toISOString()}" }) { apiKey { id } } }`,
    'ok',
  ],
  'Mutation.rotateApiKey': [
    signedIn,
    `mutation { rotateApiKey(input: { id: "key_${v7()}" }) { apiKey { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.revokeApiKey': [
    signedIn,
    `mutation { revokeApiKey(id: "key_${v7()}") { apiKey { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.createUser': [
    'admin',
    `mutation { createUser(input: { email: "new@people.test", name: "New", password: "${password}", role: VIEWER }) { user { id } } }`,
    'ok',
  ],
  'Mutation.createServiceAccount': [
    'admin',
    'mutation { createServiceAccount(input: { name: "Bot", role: VIEWER }) { user { id } } }',
    'ok',
  ],
  'Mutation.updateUser': [
    'admin',
    `mutation { updateUser(input: { id: "${user}", name: "x" }) { user { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.deactivateUser': ['admin', onUser('deactivateUser'), 'NOT_FOUND'],
  'Mutation.activateUser': ['admin', onUser('activateUser'), 'NOT_FOUND'],
  'Mutation.deleteUser': ['admin', `mutation { deleteUser(id: "${user}") { deletedId } }`, 'NOT_FOUND'],
  'Mutation.createProject': [
    'admin',
    'mutation { createProject(input: { key: "new", name: "New" }) { project { id } } }',
    'ok',
  ],
  'Mutation.updateProject': [
    'admin',
    'mutation { updateProject(input: { key: "nowhere", name: "x" }) { project { id } } }',
    'NOT_FOUND',
  ],
  'Mutation.archiveProject': [
    'admin',
    'mutation { archiveProject(key: "nowhere") { project { id } } }',
    'NOT_FOUND',
  ],
  'Mutation.deleteProject': [
    'admin',
    'mutation { deleteProject(input: { key: "nowhere", dryRun: true }) { executions } }',
    'NOT_FOUND',
  ],
  'Mutation.setExecutionHold': [
    'admin',
    `mutation { setExecutionHold(id: "exe_${v7()}", reason: "x") { execution { id } } }`,
    'NOT_FOUND',
  ],
  'Query.retentionPreview': ['admin', '{ retentionPreview { held } }', 'ok'],
  'Mutation.setGatePolicy': [
    'admin',
    'mutation { setGatePolicy(input: { project: "nowhere", name: "x" }) { policy { name } } }',
    'NOT_FOUND',
  ],
  'Mutation.deleteGatePolicy': [
    'admin',
    'mutation { deleteGatePolicy(project: "nowhere", name: "x") { deletedId } }',
    'NOT_FOUND',
  ],
  'Mutation.setProjectMember': [
    'admin',
    `mutation { setProjectMember(key: "default", userId: "${user}", role: VIEWER) { project { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.importReport': [
    workers,
    `mutation { importReport(input: { executionId: "${execution}", content: "{}" }) { import { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.triageFindings': [
    workers,
    `mutation { triageFindings(input: { ids: ["fnd_${v7()}"], comment: "x" }) { matched } }`,
    'NOT_FOUND',
  ],
  'Mutation.createExecution': [
    workers,
    'mutation { createExecution(input: { name: "x", target: "x", kind: DAST }) { execution { id } } }',
    'ok',
  ],
  'Mutation.claimExecution': [
    workers,
    'mutation { claimExecution(input: { kinds: [MANUAL], runner: "x" }) { execution { id } } }',
    'ok',
  ],
  'Mutation.startExecution': [workers, onExecution('startExecution'), 'NOT_FOUND'],
  'Mutation.reportProgress': [
    workers,
    `mutation { reportProgress(input: { executionId: "${execution}", progress: 1 }) { execution { id } } }`,
    'NOT_FOUND',
  ],
  'Mutation.addResults': [
    workers,
    `mutation { addResults(input: { executionId: "${execution}", results: [{ title: "x", severity: LOW }] }) { added } }`,
    'NOT_FOUND',
  ],
  'Mutation.completeExecution': [workers, onExecution('completeExecution'), 'NOT_FOUND'],
  'Mutation.failExecution': [workers, onExecution('failExecution', ', errorMessage: "x"'), 'NOT_FOUND'],
  'Mutation.cancelExecution': [workers, onExecution('cancelExecution'), 'NOT_FOUND'],
  'Mutation.rerunExecution': [workers, onExecution('rerunExecution'), 'NOT_FOUND'],
  'Mutation.deleteExecution': [
    workers,
    `mutation { deleteExecution(id: "${execution}") { deletedId } }`,
    'NOT_FOUND',
  ],
};

const names = rootFields(buildSchema())
  .map(({ name }) => name)
  .filter((name) => !name.startsWith('Subscription.'));
const people = ['anonymous', 'viewer', 'analyst', 'admin'] as const;

const server = await useServer();
const adminToken = await server.signIn();

const tokens = new Map<string, string>();
/** Everyone's token; a fresh one for what ends the session. */
async function tokenOf(person: (typeof people)[number], isFresh: boolean): Promise<string | undefined> {
  if (person === 'anonymous') return undefined;
  const known = tokens.get(person);
  if (known !== undefined && !isFresh) return known;
  const role = person.toUpperCase() as 'VIEWER' | 'ANALYST' | 'ADMIN';
  const { token } = await createPerson(server, adminToken, role);
  if (!isFresh) tokens.set(person, token);
  return token;
}

/** What must not be sent with the token that the other rows use. */
const endsSession = ['Mutation.logout', 'Mutation.login', 'Mutation.endSessions'];

describe('the matrix', () => {
  it('has a row for every query and mutation, and no other', () => {
    expect(Object.keys(matrix).sort()).toEqual([...names].sort());
  });

  it.each(Object.entries(matrix))('lets into %s whom it names, and nobody else', async (name, row) => {
    const [who, operation, outcome] = row;
    for (const person of people) {
      const answer = await server.gql(operation, {}, await tokenOf(person, endsSession.includes(name)));
      const code = answer.body.errors?.[0]?.extensions.code ?? 'ok';
      const refusal = person === 'anonymous' ? 'UNAUTHENTICATED' : 'FORBIDDEN';
      expect([name, person, code]).toEqual([
        name,
        person,
        who.split(' ').includes(person) ? outcome : refusal,
      ]);
      if (!who.split(' ').includes(person))
        expect(answer.body.data?.[name.split('.')[1] as string] ?? null).toBeNull();
    }
  });
});

describe('authorization', () => {
  it('is closed before the input is looked at', async () => {
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    const nonsense =
      'mutation { createUser(input: { email: "", name: "", password: "", role: ADMIN }) { user { id } } }';
    (await server.gql(nonsense)).expectError('UNAUTHENTICATED');
    (await server.gql(nonsense, {}, viewer.token)).expectError('FORBIDDEN');
    (await server.gql('{ user(id: "nonsense") { id } }', {}, viewer.token)).expectError('FORBIDDEN');
  });

  it('is closed for each field of an operation on its own', async () => {
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    const answer = await server.gql(
      'mutation { one: logout { revokedSessions } two: deleteUser(id: "x") { deletedId } }',
      {},
      viewer.token,
    );
    expect(answer.body.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['two'], 'FORBIDDEN'],
    ]);
  });

  it('changes nothing when it is closed', async () => {
    const viewer = await createPerson(server, adminToken, 'VIEWER');
    const id = await createExecution(server, adminToken);
    const before = await server.sql(
      "SELECT count(*)::int AS events, max(id::text) AS last FROM audit_events WHERE action <> 'access.deny'",
    );
    await server.gql(`mutation { deleteExecution(id: "${id}") { deletedId } }`, {}, viewer.token);
    await server.gql(`mutation { startExecution(id: "${id}") { execution { id } } }`);
    const after = await server.gql('query($id: ID!) { execution(id: $id) { status } }', { id }, adminToken);
    expect(after.expectData().execution).toEqual({ status: 'QUEUED' });
    expect(
      await server.sql(
        "SELECT count(*)::int AS events, max(id::text) AS last FROM audit_events WHERE action <> 'access.deny'",
      ),
    ).toEqual(before);
  });

  it('asks an API key for its scopes, over REST as over GraphQL', async () => {
    const { token } = await createPerson(server, adminToken, 'ANALYST');
    const made = await server.change(
      'createApiKey',
      {
        name: 'reads only',
        scopes: ['execution:read'],
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      },
      'secret',
      token,
    );
    const key = made.expectData().createApiKey.secret;
    (await server.gql('{ executions { totalCount } }', {}, key)).expectData();
    (await server.gql('{ me { id name role } }', {}, key)).expectData();
    (await server.gql('{ me { email } }', {}, key)).expectError('FORBIDDEN');
    (await server.gql('mutation { logout { revokedSessions } }', {}, key)).expectError('FORBIDDEN');
    for (const [method, path] of [
      ['GET', '/api/v1/auth/me'],
      ['POST', '/api/v1/auth/logout'],
    ] as const) {
      expect(await server.rest(method, path, { token: key })).toMatchObject({
        status: 403,
        body: { code: 'FORBIDDEN' },
      });
    }
    (await server.gql('{ me { id } }', {}, token)).expectData();
  });
});
