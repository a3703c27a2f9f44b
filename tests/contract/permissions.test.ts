// Who may do what, written down once more by hand, so that a change of the access table is seen for what it is.
import { describe, expect, it } from '@jest/globals';
import { type GraphQLObjectType, isObjectType } from 'graphql';
import { buildSchema, rootFields } from '../../src/api/schema.js';
import {
  can,
  keyScopes,
  permissionNames,
  permissions,
  roles,
  type Viewer,
} from '../../src/core/permissions.js';
import { publicRootFields } from '../../src/graphql/documents/public-operations.js';
import { propertyOf } from '../../src/graphql/execution/plan.js';
import { ruleOf } from '../../src/graphql/execution/pothos-field.js';

const viewerOf = (role: Viewer['role'], scopes?: Viewer['scopes']): Viewer => ({
  ...{ userId: 'u', email: 'e', name: 'n', role, expiresAtMs: Number.MAX_SAFE_INTEGER },
  ...(scopes !== undefined && { scopes }),
});

describe('the access table', () => {
  it('gives each role these permissions', () => {
    const table = permissionNames.map((permission) =>
      [permission.padEnd(16), ...roles.map((role) => (can(viewerOf(role), permission) ? 'yes' : '-  '))].join(
        ' | ',
      ),
    );
    expect([`${''.padEnd(16)} | ${roles.join(' | ')}`, ...table].map((line) => line.trimEnd())).toEqual([
      '                 | ADMIN | ANALYST | VIEWER',
      'identity:read    | yes | yes | yes',
      'profile:read     | yes | yes | yes',
      'profile:update   | yes | yes | yes',
      'session:manage   | yes | yes | yes',
      'api_key:manage   | yes | yes | yes',
      'execution:read   | yes | yes | yes',
      'execution:create | yes | yes | -',
      'execution:run    | yes | yes | -',
      'execution:delete | yes | yes | -',
      'execution:hold   | yes | -   | -',
      'result:read      | yes | yes | yes',
      'project:read     | yes | yes | yes',
      'project:manage   | yes | -   | -',
      'finding:read     | yes | yes | yes',
      'finding:triage   | yes | yes | -',
      'report:import    | yes | yes | -',
      'user:read        | yes | -   | -',
      'user:create      | yes | -   | -',
      'user:update      | yes | -   | -',
      'user:delete      | yes | -   | -',
      'sign_in:manage   | yes | -   | -',
      'workload:manage  | yes | -   | -',
      'webhook:manage   | yes | -   | -',
      'audit:read       | yes | -   | -',
      'health:read      | yes | -   | -',
    ]);
  });

  it('gives nobody without a sign-in anything', () => {
    for (const permission of permissionNames) expect(can(null, permission)).toBe(false);
  });

  it('limits an API key to its scopes and to the role of its owner', () => {
    const key = viewerOf('VIEWER', new Set(['execution:read', 'user:read']));
    expect(permissionNames.filter((permission) => can(key, permission))).toEqual([
      'identity:read',
      'execution:read',
    ]);
    expect(permissionNames.filter((permission) => can(viewerOf('ADMIN', new Set()), permission))).toEqual([
      'identity:read',
    ]);
  });

  it('keeps from API keys what would make them the owner of the account, and what looks up no keys', () => {
    expect(permissionNames.filter((permission) => !keyScopes.includes(permission))).toEqual([
      'identity:read',
      'profile:update',
      'session:manage',
      'api_key:manage',
      'sign_in:manage',
      'workload:manage',
      'health:read',
    ]);
  });

  it('says of each permission what it allows', () => {
    for (const { allows } of Object.values(permissions)) expect(allows).toMatch(/^[a-z].{8,}/);
  });
});

describe('every root field', () => {
  it('names a permission of the table, or is on the short public list', () => {
    const fields = rootFields(buildSchema());
    expect(fields.length).toBeGreaterThan(25);
    for (const { name, permission } of fields) {
      const expected = publicRootFields.includes(name) ? ['public'] : permissionNames;
      expect([name, expected]).toEqual([name, expect.arrayContaining([permission])]);
    }
    expect(publicRootFields).toEqual([
      'Mutation.login',
      'Mutation.startPasskeyLogin',
      'Mutation.loginWithPasskey',
      'Mutation.refreshToken',
      'Mutation.setPassword',
      'Mutation.requestPasswordReset',
    ]);
  });

  it('asks for this permission', () => {
    const table = Object.fromEntries(
      rootFields(buildSchema()).map(({ name, permission }) => [name, permission]),
    );
    expect(table).toEqual({
      'Query.groupMappings': 'sign_in:manage',
      'Mutation.setGroupMapping': 'sign_in:manage',
      'Mutation.deleteGroupMapping': 'sign_in:manage',
      'Query.workloadTrusts': 'workload:manage',
      'Mutation.createWorkloadTrust': 'workload:manage',
      'Mutation.updateWorkloadTrust': 'workload:manage',
      'Mutation.deleteWorkloadTrust': 'workload:manage',
      'Query.scimTokens': 'sign_in:manage',
      'Mutation.createScimToken': 'sign_in:manage',
      'Mutation.revokeScimToken': 'sign_in:manage',
      'Query.webhooks': 'webhook:manage',
      'Mutation.createWebhook': 'webhook:manage',
      'Mutation.setWebhookActive': 'webhook:manage',
      'Mutation.deleteWebhook': 'webhook:manage',
      'Mutation.redeliverWebhook': 'webhook:manage',
      'Query.me': 'identity:read',
      'Query.node': 'identity:read',
      'Query.user': 'user:read',
      'Query.users': 'user:read',
      'Query.undeliveredMails': 'user:read',
      'Query.import': 'execution:read',
      'Query.execution': 'execution:read',
      'Query.executions': 'execution:read',
      'Query.result': 'result:read',
      'Query.results': 'result:read',
      'Query.project': 'project:read',
      'Query.projects': 'project:read',
      'Query.finding': 'finding:read',
      'Query.findings': 'finding:read',
      'Query.compareExecutions': 'finding:read',
      'Query.statistics': 'finding:read',
      'Query.gate': 'finding:read',
      'Query.auditEvents': 'audit:read',
      'Mutation.login': 'public',
      'Mutation.refreshToken': 'public',
      'Mutation.logout': 'session:manage',
      'Mutation.revokeSession': 'session:manage',
      'Mutation.setPassword': 'public',
      'Mutation.requestPasswordReset': 'public',
      'Mutation.resetPassword': 'user:update',
      'Mutation.resendInvitation': 'user:update',
      'Mutation.revokeInvitation': 'user:update',
      'Mutation.unlockUser': 'user:update',
      'Mutation.unlinkIdentity': 'user:update',
      'Mutation.endSessions': 'user:update',
      'Mutation.startPasskeyLogin': 'public',
      'Mutation.loginWithPasskey': 'public',
      'Mutation.enrolPasskey': 'profile:update',
      'Mutation.confirmPasskey': 'profile:update',
      'Mutation.renamePasskey': 'profile:update',
      'Mutation.removePasskey': 'profile:update',
      'Mutation.enrolSecondFactor': 'profile:update',
      'Mutation.confirmSecondFactor': 'profile:update',
      'Mutation.removeSecondFactor': 'profile:update',
      'Mutation.changePassword': 'profile:update',
      'Mutation.createApiKey': 'api_key:manage',
      'Mutation.rotateApiKey': 'api_key:manage',
      'Mutation.revokeApiKey': 'api_key:manage',
      'Mutation.createUser': 'user:create',
      'Mutation.createServiceAccount': 'user:create',
      'Mutation.updateUser': 'user:update',
      'Mutation.activateUser': 'user:update',
      'Mutation.deactivateUser': 'user:update',
      'Mutation.deleteUser': 'user:delete',
      'Mutation.createProject': 'project:manage',
      'Mutation.updateProject': 'project:manage',
      'Mutation.deleteProject': 'project:manage',
      'Mutation.setExecutionHold': 'execution:hold',
      'Query.retentionPreview': 'project:manage',
      'Mutation.archiveProject': 'project:manage',
      'Mutation.setProjectMember': 'project:manage',
      'Mutation.setGatePolicy': 'project:manage',
      'Mutation.deleteGatePolicy': 'project:manage',
      'Mutation.triageFindings': 'finding:triage',
      'Mutation.createExecution': 'execution:create',
      'Mutation.rerunExecution': 'execution:create',
      'Mutation.claimExecution': 'execution:run',
      'Mutation.startExecution': 'execution:run',
      'Mutation.reportProgress': 'execution:run',
      'Mutation.importReport': 'report:import',
      'Mutation.addResults': 'execution:run',
      'Mutation.completeExecution': 'execution:run',
      'Mutation.failExecution': 'execution:run',
      'Mutation.cancelExecution': 'execution:run',
      'Mutation.deleteExecution': 'execution:delete',
      'Subscription.executionEvents': 'execution:read',
      'Subscription.statisticsChanged': 'finding:read',
      'Subscription.executionsChanged': 'execution:read',
    });
  });
});

describe('what a planned operation asks of a field', () => {
  const schema = buildSchema();
  const fields = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !type.name.startsWith('__'))
    .flatMap((type) => {
      const parent = type as GraphQLObjectType;
      return Object.values(parent.getFields()).map((field) => ({
        name: `${parent.name}.${field.name}`,
        scopes: (field.extensions.pothosOptions as { authScopes?: unknown }).authScopes,
        rule: ruleOf(parent, field),
        isShownAsItIs: propertyOf(field) !== undefined,
      }));
    });

  it('is the permission that its scopes name', () => {
    for (const { name, scopes, rule } of fields) {
      if (rule === undefined) continue;
      const { can: permission, ...others } = (scopes ?? {}) as { can?: string; public?: true };
      expect([name, rule.permission, others]).toEqual([
        name,
        permission,
        permission ? {} : scopes ? { public: true } : {},
      ]);
    }
  });

  it('is left to Pothos where scopes depend on the object, and only there', () => {
    const left = fields.filter(({ rule, isShownAsItIs }) => rule === undefined && !isShownAsItIs);
    expect(left.filter(({ scopes }) => typeof scopes !== 'function').map(({ name }) => name)).toEqual([]);
    expect(left.map(({ name }) => name)).toContain('User.email');
    expect(fields.filter(({ scopes, rule }) => typeof scopes === 'function' && rule !== undefined)).toEqual(
      [],
    );
  });
});
