// Attack: reading a field by a way on which nobody thought of asking who looks (nested, through another type). The
// matrix role × field is measured over the whole schema and compared with docs/role-fields.md (UPDATE_MATRIX=1 writes
// it). ASVS 8.1.2, 8.2.1, 8.2.3, 15.3.1.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { type GraphQLObjectType, getNamedType, isCompositeType, isObjectType } from 'graphql';
import { buildSchema, rootFields } from '../../../src/api/schema.js';
import { insertBranch, insertFinding, insertRun } from '../../kit/findings.js';
import { setMember } from '../../kit/projects.js';
import { addResults, createPerson, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const file = fileURLToPath(new URL('../../../docs/role-fields.md', import.meta.url));
const schema = buildSchema();
/** A run that was not whole, which an import warns of. */
const sarifWithWarning = { version: '2.1.0', runs: [{ tool: { driver: { name: 'T' } } }] };
const identities = ['anonymous', 'viewer', 'analyst', 'admin'] as const;

const server = await useServer({ RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0', RATE_LIMIT_PER_MINUTE: '0' });
const admin = await server.signIn();
const owner = await createPerson(server, admin, 'ANALYST');
await setMember(server, admin, 'default', owner.id, 'ANALYST');
const execution = await startExecution(server, owner.token);
await addResults(server, owner.token, execution, [{ title: 'T', severity: 'LOW', location: { path: 'a' } }]);
await server.sql(
  "INSERT INTO user_identities (id, user_id, provider, issuer, subject, created_at) VALUES (gen_random_uuid(), $1, 'p', 'i', 's', now())",
  [owner.id.slice(4)],
);
await server.sql(
  `INSERT INTO mails (id, user_id, kind, last_error, created_at, next_attempt_at)
   VALUES (gen_random_uuid(), $1, 'NEW_DEVICE', 'e', now(), now())`,
  [owner.id.slice(4)],
);
const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
(
  await server.change(
    'createApiKey',
    { name: 'k', scopes: ['execution:read'], expiresAt },
    'apiKey { id }',
    owner.token,
  )
).expectData();
(
  await server.change(
    'createWebhook',
    { url: 'https://hooks.invalid', events: ['import.completed'], project: 'default' },
    'secret',
    admin,
  )
).expectData();
const imports = await server.change(
  'importReport',
  { target: 'a', content: JSON.stringify(sarifWithWarning) },
  'import { id }',
  owner.token,
);
const imported: string = imports.expectData().importReport.import.id;
const found = await server.gql('{ results { nodes { id } } }', {}, owner.token);
const result: string = found.expectData().results.nodes[0].id;
const branch = await insertBranch(server);
const executionId = await insertRun(server, branch, new Date());
const run = `exe_${executionId}`;
const finding = await insertFinding(server, { executionId, branch });
const decision = { ids: [finding], state: 'CONFIRMED' };
(await server.change('triageFindings', decision, 'changed', owner.token)).expectData();
const tokens = {
  anonymous: undefined,
  viewer: (await createPerson(server, admin, 'VIEWER')).token,
  analyst: (await createPerson(server, admin, 'ANALYST')).token,
  admin,
};

/** Row of the matrix → its type and a way to one of it, with # for the field. */
const ways = (): Record<string, [type: string, query: string]> => {
  const own = `execution(id: "${execution}")`;
  return {
    'User (another)': ['User', `{ ${own} { createdBy { # } } }`],
    'User (self)': ['User', '{ me { # } }'],
    TestExecution: ['TestExecution', `{ ${own} { # } }`],
    'TestExecution (by node)': [
      'TestExecution',
      `{ node(id: "${execution}") { ... on TestExecution { # } } }`,
    ],
    SeverityCounts: ['SeverityCounts', `{ ${own} { severityCounts { # } } }`],
    TestResult: ['TestResult', `{ result(id: "${result}") { # } }`],
    Location: ['Location', `{ result(id: "${result}") { location { # } } }`],
    Import: ['Import', `{ import(id: "${imported}") { # } }`],
    SkippedReason: ['SkippedReason', `{ import(id: "${imported}") { skippedReasons { # } } }`],
    ImportWarning: ['ImportWarning', `{ import(id: "${imported}") { warnings { # } } }`],
    ExecutionConnection: ['ExecutionConnection', '{ executions { # } }'],
    ExecutionEdge: ['ExecutionEdge', '{ executions { edges { # } } }'],
    PageInfo: ['PageInfo', '{ executions { pageInfo { # } } }'],
    ResultConnection: ['ResultConnection', '{ results { # } }'],
    ResultEdge: ['ResultEdge', `{ ${own} { results { edges { # } } } }`],
    UserConnection: ['UserConnection', '{ users { # } }'],
    UserEdge: ['UserEdge', '{ users { edges { # } } }'],
    'Session (of another)': ['Session', `{ ${own} { createdBy { sessions { # } } } }`],
    'ApiKey (of another)': ['ApiKey', `{ ${own} { createdBy { apiKeys { # } } } }`],
    'Passkey (of another)': ['Passkey', `{ ${own} { createdBy { passkeys { # } } } }`],
    'UserIdentity (of another)': ['UserIdentity', `{ ${own} { createdBy { identities { # } } } }`],
    Finding: ['Finding', `{ finding(id: "${finding}") { # } }`],
    FindingBranch: ['FindingBranch', `{ finding(id: "${finding}") { branches { # } } }`],
    TriageEvent: ['TriageEvent', `{ finding(id: "${finding}") { history { # } } }`],
    FindingConnection: ['FindingConnection', '{ findings { # } }'],
    FindingEdge: ['FindingEdge', '{ findings { edges { # } } }'],
    ExecutionComparison: [
      'ExecutionComparison',
      `{ compareExecutions(base: "${run}", head: "${run}") { # } }`,
    ],
    Statistics: ['Statistics', '{ statistics { # } }'],
    StatisticsBucket: ['StatisticsBucket', '{ statistics { byBucket { # } } }'],
    RuleCount: ['RuleCount', '{ statistics { topRules { # } } }'],
    CweCount: ['CweCount', '{ statistics { topCwes { # } } }'],
    TargetCount: ['TargetCount', '{ statistics { topTargets { # } } }'],
    Gate: ['Gate', `{ gate(executionId: "${execution}", policy: {}) { # } }`],
    Project: ['Project', '{ project(key: "default") { # } }'],
    StoredGatePolicy: ['StoredGatePolicy', '{ project(key: "default") { gatePolicies { # } } }'],
    DaysToFix: ['DaysToFix', '{ project(key: "default") { daysToFix { # } } }'],
    ProjectMember: ['ProjectMember', '{ project(key: "default") { members { # } } }'],
    ProjectConnection: ['ProjectConnection', '{ projects { # } }'],
    ProjectEdge: ['ProjectEdge', '{ projects { edges { # } } }'],
    GroupMapping: ['GroupMapping', '{ groupMappings { # } }'],
    Mail: ['Mail', '{ undeliveredMails { nodes { # } } }'],
    MailConnection: ['MailConnection', '{ undeliveredMails { # } }'],
    MailEdge: ['MailEdge', '{ undeliveredMails { edges { # } } }'],
    WorkloadTrust: ['WorkloadTrust', '{ workloadTrusts { # } }'],
    ClaimPattern: ['ClaimPattern', '{ workloadTrusts { claims { # } } }'],
    ScimToken: ['ScimToken', '{ scimTokens { # } }'],
    Webhook: ['Webhook', '{ webhooks { # } }'],
    WebhookDelivery: ['WebhookDelivery', '{ webhooks { deliveries { nodes { # } } } }'],
    WebhookDeliveryConnection: ['WebhookDeliveryConnection', '{ webhooks { deliveries { # } } }'],
    WebhookDeliveryEdge: ['WebhookDeliveryEdge', '{ webhooks { deliveries { edges { # } } } }'],
    RetentionPreview: ['RetentionPreview', '{ retentionPreview(project: "default", retainDays: 1) { # } }'],
    AuditEvent: ['AuditEvent', '{ auditEvents { nodes { # } } }'],
    AuditEventConnection: ['AuditEventConnection', '{ auditEvents { # } }'],
    AuditEventEdge: ['AuditEventEdge', '{ auditEvents { edges { # } } }'],
  };
};

const objectTypes = Object.values(schema.getTypeMap()).filter(
  (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('__'),
);
const rootNames = ['Query', 'Mutation', 'Subscription'];
/** Types that only come back from a mutation or subscription, whose root field asks for the permission. */
const isAnswer = ({ name }: GraphQLObjectType) =>
  /Payload$/.test(name) || ['ExecutionEvent', 'Invitation', 'SkippedResult'].includes(name);

it('every type of the schema has a row', () => {
  const rows = new Set(Object.values(ways()).map(([type]) => type));
  const missing = objectTypes.filter(
    (type) => !rootNames.includes(type.name) && !isAnswer(type) && !rows.has(type.name),
  );
  expect(missing.map(({ name }) => name)).toEqual([]);
});

it('who may read a field is what docs/role-fields.md says, for every field of every type', async () => {
  const lines: string[] = [];
  for (const { name, permission } of rootFields(schema)) lines.push(`| ${name} | ${permission} |`);
  const cells: string[] = [];
  for (const [row, [typeName, query]] of Object.entries(ways())) {
    const type = schema.getType(typeName) as GraphQLObjectType;
    for (const field of Object.values(type.getFields())) {
      const selection = isCompositeType(getNamedType(field.type))
        ? `${field.name} { __typename }`
        : field.name;
      const outcomes: string[] = [];
      for (const identity of identities) {
        const { body } = await server.gql(query.replace('#', selection), {}, tokens[identity]);
        const code = body.errors?.[0]?.extensions.code;
        expect([row, field.name, identity, code]).toEqual([
          row,
          field.name,
          identity,
          code === undefined ? undefined : expect.stringMatching(/^(UNAUTHENTICATED|FORBIDDEN)$/),
        ]);
        outcomes.push(code === undefined ? 'yes' : '');
      }
      cells.push(`| ${row} | ${field.name} | ${outcomes.join(' | ')} |`);
    }
  }
  const text = [
    '# Who may read which field',
    '',
    'Measured by tests/security/request/role-fields.test.ts on a running server; update it with `UPDATE_MATRIX=1 npm test -- tests/security/request/role-fields.test.ts`.',
    'Which rows of a type one sees is a second question: see docs/projects.md.',
    '',
    '## Root fields and the permission each asks for',
    '',
    '| field | permission |',
    '|--|--|',
    ...lines,
    '',
    '## Fields of types',
    '',
    `| type | field | ${identities.join(' | ')} |`,
    '|--|--|--|--|--|--|',
    ...cells,
    '',
  ].join('\n');
  if (process.env.UPDATE_MATRIX || !existsSync(file)) writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
});

it('no type has a field for a secret that is kept', () => {
  for (const type of objectTypes.filter(({ name }) => !rootNames.includes(name))) {
    for (const name of Object.keys(type.getFields())) {
      expect([type.name, name]).toEqual([
        type.name,
        expect.not.stringMatching(/hash|salt|passw|privateKey|totp/i),
      ]);
    }
  }
});
