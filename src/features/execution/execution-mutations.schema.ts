// Mutations of executions in GraphQL.
import { toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { DeletePayload } from '../../graphql/schema-kit/payloads.js';
import { inputArg, optionalArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../validation/fields.js';
import {
  claimExecutionInput,
  createExecutionInput,
  errorMessage,
  holdReason,
  leaseSeconds,
  reportProgressInput,
} from './execution.input.js';
import { ClaimPayload, ExecutionPayload } from './execution.schema.js';

const idArg = idOf('TestExecution');
const idText = 'Id of the execution.';

builder.mutationFields((t) => ({
  createExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:create' },
    description: 'Creates an execution that waits for a runner.',
    args: { input: inputArg(t.arg, 'CreateExecutionInput', createExecutionInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.executions.create(viewerOf(context), input),
    }),
  }),
  claimExecution: t.field({
    type: ClaimPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Claims the oldest waiting execution of these kinds for the caller alone, and starts it under a lease, which ' +
      'reportProgress and addResults renew. When the lease expires, the execution becomes INTERRUPTED.',
    args: { input: inputArg(t.arg, 'ClaimExecutionInput', claimExecutionInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.runners.claim(viewerOf(context), input),
    }),
  }),
  startExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description:
      'QUEUED → RUNNING, by hand. The lease is long by default (a day); reportProgress and addResults renew it.',
    args: {
      id: simpleArg(t.arg, idArg, idText),
      leaseSeconds: optionalArg(
        t.arg,
        leaseSeconds,
        'Seconds until the lease expires: 10 to 604,800, default 86,400.',
      ),
    },
    resolve: async (_root, { id, leaseSeconds }, context) => ({
      execution: await context.services.executions.start(viewerOf(context), id, leaseSeconds),
    }),
  }),
}));

builder.mutationFields((t) => ({
  reportProgress: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Raises the progress, sets the phase and renews the lease; the returned status shows a requested cancellation.',
    args: { input: inputArg(t.arg, 'ReportProgressInput', reportProgressInput) },
    resolve: async (_root, { input }, context) => ({
      execution: await context.services.executions.reportProgress(viewerOf(context), input),
    }),
  }),
  completeExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description: 'Completes a running execution.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.complete(viewerOf(context), id),
    }),
  }),
  failExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description: 'Fails an unfinished execution.',
    args: { id: simpleArg(t.arg, idArg, idText), errorMessage: simpleArg(t.arg, errorMessage) },
    resolve: async (_root, args, context) => ({
      execution: await context.services.executions.fail(viewerOf(context), args.id, args.errorMessage),
    }),
  }),
}));

builder.mutationFields((t) => ({
  cancelExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:run' },
    description:
      'Cancels an execution: a waiting one at once, a running one by asking its runner (CANCEL_REQUESTED). ' +
      'A second call, which acknowledges the request, makes it CANCELLED.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.cancel(viewerOf(context), id),
    }),
  }),
  rerunExecution: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:create' },
    description: 'Creates an execution with the settings of another.',
    args: { id: simpleArg(t.arg, idArg, 'Id of the execution to repeat.') },
    resolve: async (_root, { id }, context) => ({
      execution: await context.services.executions.rerun(viewerOf(context), id),
    }),
  }),
  setExecutionHold: t.field({
    type: ExecutionPayload,
    authScopes: { can: 'execution:hold' },
    description:
      'Puts an execution under a legal hold, or releases it. A held execution cannot be deleted (CONFLICT), and ' +
      'retention leaves it alone.',
    args: {
      id: simpleArg(t.arg, idArg, idText),
      reason: optionalArg(t.arg, holdReason, 'Reason of the hold; null or absent to release the execution.'),
    },
    resolve: async (_root, { id, reason }, context) => ({
      execution: await context.services.executions.setHold(viewerOf(context), id, reason ?? null),
    }),
  }),
  deleteExecution: t.field({
    type: DeletePayload,
    authScopes: { can: 'execution:delete' },
    description:
      'Deletes an execution with its results and events. For a large one, the findings follow within seconds. Error ' +
      'CONFLICT for an execution under a legal hold.',
    args: { id: simpleArg(t.arg, idArg, idText) },
    resolve: async (_root, { id }, context) => {
      await context.services.executions.remove(viewerOf(context), id);
      return { deletedId: toPublicId('TestExecution', id) };
    },
  }),
}));
