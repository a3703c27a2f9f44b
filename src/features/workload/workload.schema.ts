// Trust rules in GraphQL. The exchange itself is REST (workload.routes.ts), as its standard has it.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { time, timeOrNull } from '../../graphql/schema-kit/field-options.js';
import { deletion, mutation, query } from '../../graphql/schema-kit/root-fields.js';
import { inputArg } from '../../graphql/schema-kit/zod-inputs.js';
import { projectOrNull } from '../project/project.ref.js';
import { UserType } from '../user/user.schema.js';
import type { ClaimPattern } from './claims.js';
import { maxTrusts, type TrustRow } from './trusts.js';
import { createWorkloadTrustInput, updateWorkloadTrustInput } from './workload.input.js';

const ClaimPatternType = builder.objectRef<ClaimPattern>('ClaimPattern').implement({
  description: 'A claim of a token and its value.',
  fields: (t) => ({
    claim: t.exposeString('claim', { description: 'Name of the claim.' }),
    pattern: t.exposeString('pattern', {
      description: 'What it must be, exactly; `*` stands for one or more characters other than / and :.',
    }),
  }),
});

const WorkloadTrust = builder.objectRef<TrustRow>('WorkloadTrust').implement({
  description: 'A rule by which CI jobs and other workloads get tokens of a service account.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the rule.', resolve: ({ id }) => toPublicId('WorkloadTrust', id) }),
    name: t.exposeString('name', { description: 'Name, for the audit trail.' }),
    issuer: t.exposeString('issuer', { description: 'Issuer of the accepted tokens.' }),
    audience: t.exposeString('audience', { description: 'The only audience of accepted tokens.' }),
    claims: t.field({
      type: [ClaimPatternType],
      description: 'Claims that must all match.',
      resolve: ({ claims }) => claims,
    }),
    serviceAccount: t.field({
      type: UserType,
      nullable: true,
      description: 'Service account as which the workload acts; null when it has just been deleted.',
      resolve: ({ userId }, _args, { loaders }) => loaders.users.load(userId),
    }),
    project: t.field(projectOrNull('The only project that the tokens reach; null for all of the account.')),
    scopes: t.exposeStringList('scopes', { description: 'Permissions that the tokens are limited to.' }),
    lifetimeSeconds: t.exposeInt('lifetimeSeconds', { description: 'Lifetime of a token in seconds.' }),
    isEnabled: t.exposeBoolean('isEnabled', { description: 'Whether tokens are accepted.' }),
    createdAt: t.expose('createdAt', time('Time of creation.')),
    lastUsedAt: t.expose('lastUsedAt', timeOrNull('Time at which a token was last accepted.')),
  }),
});

const WorkloadTrustPayload = builder.objectRef<TrustRow>('WorkloadTrustPayload').implement({
  description: 'A trust rule after a change.',
  fields: (t) => ({
    workloadTrust: t.field({ type: WorkloadTrust, description: 'The rule.', resolve: (trust) => trust }),
  }),
});

query('workloadTrusts', [WorkloadTrust], 'workload:manage', {
  entries: maxTrusts,
  description: `Trust rules by name; at most ${maxTrusts}.`,
  run: ({ workloadTrusts }) => workloadTrusts.list(),
});

mutation('createWorkloadTrust', WorkloadTrustPayload, 'workload:manage', {
  description:
    'Lets CI jobs or other workloads act as a service account by tokens of their platform, without a secret. ' +
    'Requires a sign-in within the last five minutes.',
  args: (arg) => ({ input: inputArg(arg, 'CreateWorkloadTrustInput', createWorkloadTrustInput) }),
  run: ({ workloadTrusts }, viewer, { input }) => workloadTrusts.create(viewer, input),
});

mutation('updateWorkloadTrust', WorkloadTrustPayload, 'workload:manage', {
  description:
    'Changes a trust rule and ends the tokens that it has issued. Requires a sign-in within the last five minutes.',
  args: (arg) => ({ input: inputArg(arg, 'UpdateWorkloadTrustInput', updateWorkloadTrustInput) }),
  run: ({ workloadTrusts }, viewer, { input }) => workloadTrusts.update(viewer, input),
});

deletion('deleteWorkloadTrust', 'WorkloadTrust', 'workload:manage', {
  description: 'Deletes a trust rule and ends the tokens that it has issued.',
  id: 'Id of the rule.',
  run: ({ workloadTrusts }, viewer, id) => workloadTrusts.remove(viewer, id),
});
