// Stored policies of gates in GraphQL: the type, those of a project, and the mutations of admins.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull, time } from '../../graphql/schema-kit/field-options.js';
import { DeletePayload } from '../../graphql/schema-kit/payloads.js';
import { mutation } from '../../graphql/schema-kit/root-fields.js';
import { enumType, inputArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { projectKey } from '../../validation/project-key.js';
import { ProjectType } from '../project/project.ref.js';
import { gateMode, policyName, setGatePolicyInput } from './gate.input.js';
import { maxPolicies, type PolicyRow } from './gate.policies.js';

const StoredGatePolicy = builder.objectRef<PolicyRow>('StoredGatePolicy').implement({
  description: 'A policy of gates that a project stores under a name.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name; unique in the project.' }),
    maxCritical: t.exposeInt(
      'maxCritical',
      orNull('CRITICAL findings that are allowed; null for any number.'),
    ),
    maxHigh: t.exposeInt('maxHigh', orNull('HIGH findings that are allowed; null for any number.')),
    maxMedium: t.exposeInt('maxMedium', orNull('MEDIUM findings that are allowed; null for any number.')),
    maxLow: t.exposeInt('maxLow', orNull('LOW findings that are allowed; null for any number.')),
    onlyNew: t.exposeBoolean('onlyNew', { description: 'Whether only new findings count.' }),
    baseBranch: t.exposeString(
      'baseBranch',
      orNull('Branch beside whose last run findings are new; null for the run itself.'),
    ),
    failOnOverdue: t.exposeBoolean('failOnOverdue', {
      description: 'Whether overdue findings fail the gate.',
    }),
    mode: t.expose('mode', {
      type: enumType(gateMode),
      description: 'Whether the gate fails or only reports.',
    }),
    createdAt: t.expose('createdAt', time('Time at which the name was first used.')),
    updatedAt: t.expose('updatedAt', time('Time of the last change.')),
  }),
});

builder.objectField(ProjectType, 'gatePolicies', (t) =>
  t.field({
    type: [StoredGatePolicy],
    extensions: { weight: { entries: maxPolicies } },
    description: `Stored policies of gates by name; at most ${maxPolicies}.`,
    resolve: ({ id }, _args, { loaders }) => loaders.gatePolicies.load(id),
  }),
);

const GatePolicyPayload = builder.objectRef<PolicyRow>('GatePolicyPayload').implement({
  description: 'A stored policy after a change.',
  fields: (t) => ({
    policy: t.field({ type: StoredGatePolicy, description: 'The policy.', resolve: (policy) => policy }),
  }),
});

mutation('setGatePolicy', GatePolicyPayload, 'project:manage', {
  description: 'Stores a policy of gates in a project, in place of the one of the same name.',
  args: (arg) => ({ input: inputArg(arg, 'SetGatePolicyInput', setGatePolicyInput) }),
  run: ({ gates }, viewer, { input }) => gates.policies.set(viewer, input),
});

mutation('deleteGatePolicy', DeletePayload, 'project:manage', {
  description:
    'Deletes a stored policy; `deletedId` is the id of its project. Gates that name it fail from then on.',
  args: (arg) => ({
    project: simpleArg(arg, projectKey, 'Key of the project.'),
    name: simpleArg(arg, policyName, 'Name of the policy.'),
  }),
  run: async ({ gates }, viewer, { project, name }) => {
    const { projectId } = await gates.policies.delete(viewer, project, name);
    return { deletedId: toPublicId('Project', projectId) };
  },
});
