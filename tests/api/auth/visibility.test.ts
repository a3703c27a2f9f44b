// What each role sees: personal fields of users, nodes by their id, and malformed ids.
import { describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import type { GqlAnswer } from '../../kit/harness.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const viewer = await createPerson(server, adminToken, 'VIEWER');
const executionId = await startExecution(server, analyst.token);
await addResults(server, analyst.token, executionId, [{ title: 'Finding', severity: 'HIGH' }]);
const ids = await server.gql(
  '{ results { nodes { id } } auditEvents(first: 1) { nodes { id } } }',
  {},
  adminToken,
);
const resultId: string = ids.expectData().results.nodes[0].id;
const auditId: string = ids.expectData().auditEvents.nodes[0].id;

describe('the creator of an execution', () => {
  const creatorAs = (field: string, token: string): Promise<GqlAnswer> =>
    server.gql(
      `query($id: ID!) { execution(id: $id) { createdBy { ${field} } } }`,
      { id: executionId },
      token,
    );

  it('shows id, name and role to everyone', async () => {
    const answer = await creatorAs('id name role', viewer.token);
    expect(answer.expectData().execution.createdBy).toEqual({
      id: analyst.id,
      name: expect.stringMatching(/^Person/),
      role: 'ANALYST',
    });
  });

  it.each(['email', 'status', 'lastLoginAt', 'createdAt', 'updatedAt', 'sessions { id }', 'apiKeys { id }'])(
    'shows %s to themselves and to admins, and is FORBIDDEN to others',
    async (field) => {
      const name = field.split(' ')[0] as string;
      for (const token of [analyst.token, adminToken]) {
        expect((await creatorAs(field, token)).expectData().execution.createdBy[name]).not.toBeUndefined();
      }
      const refused = await creatorAs(`name ${field}`, viewer.token);
      expect(refused.expectError('FORBIDDEN').path).toEqual(['execution', 'createdBy', name]);
      expect(JSON.stringify(refused.body)).not.toContain(analyst.email);
    },
  );

  it('hides personal fields also in lists and behind aliases', async () => {
    const answer = await server.gql(
      '{ executions { nodes { mail: createdBy { x: email } } } }',
      {},
      viewer.token,
    );
    answer.expectError('FORBIDDEN');
    expect(JSON.stringify(answer.body)).not.toContain(analyst.email);
  });
});

describe('the caller’s own profile', () => {
  it('shows everything to the user', async () => {
    const fields = 'id email name role status lastLoginAt createdAt updatedAt sessions { id } apiKeys { id }';
    const { me } = (await server.gql(`{ me { ${fields} } }`, {}, viewer.token)).expectData();
    expect(me).toMatchObject({ id: viewer.id, email: viewer.email, role: 'VIEWER', apiKeys: [] });
  });

  it('comes with signing in, before any token is sent', async () => {
    const answer = await server.gql(
      'mutation($email: String!, $password: String!) { login(input: { email: $email, password: $password }) { user { email status } } }',
      { email: viewer.email, password: 'plum violin 4482 meadow crane' },
    );
    expect(answer.expectData().login.user).toEqual({ email: viewer.email, status: 'ACTIVE' });
  });
});

describe('node', () => {
  const node = (id: string, token: string): Promise<GqlAnswer> =>
    server.gql('query($id: ID!) { node(id: $id) { __typename id } }', { id }, token);

  it('finds executions, results and the viewer for everyone', async () => {
    for (const [id, type] of [
      [executionId, 'TestExecution'],
      [resultId, 'TestResult'],
      [viewer.id, 'User'],
    ] as const) {
      expect((await node(id, viewer.token)).expectData().node).toEqual({ __typename: type, id });
    }
  });

  it('finds everything for an admin', async () => {
    for (const [id, type] of [
      [analyst.id, 'User'],
      [auditId, 'AuditEvent'],
    ] as const) {
      expect((await node(id, adminToken)).expectData().node).toEqual({ __typename: type, id });
    }
  });

  it('gives the fields of what it found', async () => {
    const answer = await server.gql(
      `query($id: ID!) { node(id: $id) {
        ... on TestExecution { name severityCounts { high total } createdBy { name } results { nodes { title } } }
      } }`,
      { id: executionId },
      viewer.token,
    );
    expect(answer.expectData().node).toEqual({
      name: 'Scan',
      severityCounts: { high: 1, total: 1 },
      createdBy: { name: expect.any(String) },
      results: { nodes: [{ title: 'Finding' }] },
    });
  });

  it('says the same for what one may not see as for what is not there', async () => {
    for (const token of [viewer.token, analyst.token]) {
      const hidden = [
        await node(auditId, token),
        await node(token === viewer.token ? analyst.id : viewer.id, token),
      ];
      const missing = [await node(`aud_${v7()}`, token), await node(`usr_${v7()}`, token)];
      const [first, ...rest] = [...hidden, ...missing].map((answer) => {
        const { message, path, extensions } = answer.expectError('NOT_FOUND');
        return { status: answer.status, message, path, code: extensions.code, data: answer.body.data };
      });
      for (const other of rest) expect(other).toEqual(first);
    }
  });

  it('refuses ids that are none and of types that are no nodes, with the argument’s path', async () => {
    for (const id of [
      '',
      'x',
      v7(),
      `exe_${v7()}x`,
      'exe_00000000',
      `EXE_${v7()}`,
      `ses_${v7()}`,
      `key_${v7()}`,
    ]) {
      const { extensions } = (await node(id, adminToken)).expectError('VALIDATION_FAILED');
      expect([id, extensions.fields]).toEqual([id, [expect.objectContaining({ path: 'id' })]]);
    }
  });
});

describe('an id of another type', () => {
  it('is invalid, with the path of where it was given', async () => {
    const uses: [operation: string, id: string, path: string][] = [
      ['query($id: ID!) { execution(id: $id) { id } }', resultId, 'id'],
      ['query($id: ID!) { result(id: $id) { id } }', executionId, 'id'],
      ['query($id: ID!) { user(id: $id) { id } }', executionId, 'id'],
      [
        'query($id: ID!) { executions(filter: { createdById: $id }) { totalCount } }',
        executionId,
        'filter.createdById',
      ],
      [
        'query($id: ID!) { results(filter: { executionId: $id }) { totalCount } }',
        resultId,
        'filter.executionId',
      ],
      [
        'query($id: ID!) { auditEvents(filter: { actorId: $id }) { totalCount } }',
        executionId,
        'filter.actorId',
      ],
      [
        'query($id: ID!) { auditEvents(filter: { targetId: $id }) { totalCount } }',
        resultId,
        'filter.targetId',
      ],
      ['mutation($id: ID!) { deleteUser(id: $id) { deletedId } }', executionId, 'id'],
      ['mutation($id: ID!) { revokeSession(id: $id) { revokedSessions } }', analyst.id, 'id'],
      [
        'mutation($id: ID!) { updateUser(input: { id: $id, name: "x" }) { user { id } } }',
        resultId,
        'input.id',
      ],
    ];
    for (const [operation, id, path] of uses) {
      for (const wrong of [id, 'nonsense', id.slice(4)]) {
        const answer = await server.gql(operation, { id: wrong }, adminToken);
        expect([operation, answer.expectError('VALIDATION_FAILED').extensions.fields]).toEqual([
          operation,
          [expect.objectContaining({ path })],
        ]);
      }
    }
  });
});
