// Attack: make the audit trail fail (full disk, dropped right) and act unseen meanwhile.
// ASVS 16.5.3 (fail securely), 16.3.3; OWASP logging: what cannot be recorded does not happen.
import { describe, expect, it } from '@jest/globals';
import { admin, type GqlAnswer } from '../../kit/harness.js';
import { createExecution, createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
let token = await server.signIn();

const fault = `CREATE OR REPLACE FUNCTION break_audit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'could not extend file: no space left' USING ERRCODE = 'disk_full'; END $$;
  CREATE TRIGGER break_audit BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION break_audit()`;

/** Runs work while no audit event can be written. */
async function whileAuditFails<T>(work: () => Promise<T>): Promise<T> {
  await server.sql(fault);
  try {
    return await work();
  } finally {
    await server.sql('DROP TRIGGER break_audit ON audit_events');
  }
}

/** All rows of all tables but the audit trail, as text. */
async function everything(): Promise<string> {
  const tables = [
    'users',
    'sessions',
    'api_keys',
    'test_executions',
    'test_results',
    'execution_events',
    'result_batches',
  ];
  const rows = await Promise.all(
    // Without what the meeting with the findings writes, which follows each end.
    tables.map((table) =>
      server.sql(
        `SELECT (to_jsonb(${table}) - 'run_number' - 'scan_branch_id')::text AS row FROM ${table} ORDER BY 1`,
      ),
    ),
  );
  return JSON.stringify(rows);
}

describe('while the audit trail cannot be written', () => {
  const actions: [string, () => Promise<[string, Record<string, unknown>?]>][] = [
    [
      'createUser',
      async () => [
        'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }',
        { input: { email: 'unseen@people.test', name: 'Unseen', password, role: 'ADMIN' } },
      ],
    ],
    [
      'updateUser',
      async () => {
        const { id } = await createPerson(server, token, 'VIEWER');
        return [
          'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }',
          { input: { id, role: 'ADMIN' } },
        ];
      },
    ],
    ...(['deactivateUser', 'deleteUser'] as const).map(
      (name) =>
        [
          name,
          async () => {
            const { id } = await createPerson(server, token, 'VIEWER');
            return [`mutation($id: ID!) { ${name}(id: $id) { __typename } }`, { id }];
          },
        ] as [string, () => Promise<[string, Record<string, unknown>?]>],
    ),
    ['logout', async () => ['mutation { logout(everywhere: true) { revokedSessions } }']],
    [
      'changePassword',
      async () => [
        'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } } }',
        { input: { currentPassword: admin.password, newPassword: 'otter bicycle 5521 velvet plain' } },
      ],
    ],
    [
      'createExecution',
      async () => [
        'mutation { createExecution(input: { name: "x", target: "https://x.test", kind: DAST }) { execution { id } } }',
      ],
    ],
    ...(['startExecution', 'cancelExecution', 'deleteExecution'] as const).map(
      (name) =>
        [
          name,
          async () => {
            const id = await createExecution(server, token);
            return [`mutation($id: ID!) { ${name}(id: $id) { __typename } }`, { id }];
          },
        ] as [string, () => Promise<[string, Record<string, unknown>?]>],
    ),
  ];

  it.each(actions)('%s does not happen', async (name, prepare) => {
    const [query, variables] = await prepare();
    const before = await everything();
    const answer: GqlAnswer = await whileAuditFails(() => server.gql(query, variables, token));
    expect(answer.body.errors?.[0]?.extensions.code).toBe('UNAVAILABLE');
    expect(await everything()).toBe(before);
    // Nor is it told in the log as if it had.
    const id = answer.headers.get('x-correlation-id');
    const told = server.logs.filter((line) => line.correlationId === id && 'action' in line);
    expect(told).toEqual([]);
    (await server.gql(query, variables, token)).expectData();
    if (name === 'logout') token = await server.signIn();
  });

  it('nobody signs in', async () => {
    const body = { email: admin.email, password: 'otter bicycle 5521 velvet plain' };
    const before = await everything();
    const answer = await whileAuditFails(() => server.rest('POST', '/api/v1/auth/login', { body }));
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer.body)).not.toContain('accessToken');
    expect(await everything()).toBe(before);
  });

  it('reading goes on', async () => {
    await whileAuditFails(async () => {
      (await server.gql('{ executions(first: 1) { totalCount } }', {}, token)).expectData();
    });
  });
});
