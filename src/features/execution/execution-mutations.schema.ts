// Mutations of executions in GraphQL.
import { type Arg, deletion, mutation } from '../../graphql/schema-kit/root-fields.js';
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

const byId = (arg: Arg) => ({ id: simpleArg(arg, idArg, idText) });

mutation('createExecution', ExecutionPayload, 'execution:create', {
  description: 'Creates an execution that waits for a runner.',
  args: (arg) => ({ input: inputArg(arg, 'CreateExecutionInput', createExecutionInput) }),
  run: ({ executions }, viewer, { input }) => executions.create(viewer, input),
});

mutation('claimExecution', ClaimPayload, 'execution:run', {
  description:
    'Claims the oldest waiting execution of these kinds for the caller alone, and starts it under a lease, which ' +
    'reportProgress and addResults renew. When the lease expires, the execution becomes INTERRUPTED.',
  args: (arg) => ({ input: inputArg(arg, 'ClaimExecutionInput', claimExecutionInput) }),
  run: async ({ runners }, viewer, { input }) => ({ execution: await runners.claim(viewer, input) }),
});

mutation('startExecution', ExecutionPayload, 'execution:run', {
  description:
    'QUEUED → RUNNING, by hand. The lease is long by default (a day); reportProgress and addResults renew it.',
  args: (arg) => ({
    id: simpleArg(arg, idArg, idText),
    leaseSeconds: optionalArg(
      arg,
      leaseSeconds,
      'Seconds until the lease expires: 10 to 604,800, default 86,400.',
    ),
  }),
  run: ({ executions }, viewer, { id, leaseSeconds }) => executions.start(viewer, id, leaseSeconds),
});

mutation('reportProgress', ExecutionPayload, 'execution:run', {
  description:
    'Raises the progress, sets the phase and renews the lease; the returned status shows a requested cancellation.',
  args: (arg) => ({ input: inputArg(arg, 'ReportProgressInput', reportProgressInput) }),
  run: ({ executions }, viewer, { input }) => executions.reportProgress(viewer, input),
});

mutation('completeExecution', ExecutionPayload, 'execution:run', {
  description: 'Completes a running execution.',
  args: byId,
  run: ({ executions }, viewer, { id }) => executions.complete(viewer, id),
});

mutation('failExecution', ExecutionPayload, 'execution:run', {
  description: 'Fails an unfinished execution.',
  args: (arg) => ({ id: simpleArg(arg, idArg, idText), errorMessage: simpleArg(arg, errorMessage) }),
  run: ({ executions }, viewer, args) => executions.fail(viewer, args.id, args.errorMessage),
});

mutation('cancelExecution', ExecutionPayload, 'execution:run', {
  description:
    'Cancels an execution: a waiting one at once, a running one by asking its runner (CANCEL_REQUESTED). ' +
    'A second call, which acknowledges the request, makes it CANCELLED.',
  args: byId,
  run: ({ executions }, viewer, { id }) => executions.cancel(viewer, id),
});

mutation('rerunExecution', ExecutionPayload, 'execution:create', {
  description: 'Creates an execution with the settings of another.',
  args: (arg) => ({ id: simpleArg(arg, idArg, 'Id of the execution to repeat.') }),
  run: ({ executions }, viewer, { id }) => executions.rerun(viewer, id),
});

mutation('setExecutionHold', ExecutionPayload, 'execution:hold', {
  description:
    'Puts an execution under a legal hold, or releases it. A held execution cannot be deleted (CONFLICT), and ' +
    'retention leaves it alone.',
  args: (arg) => ({
    id: simpleArg(arg, idArg, idText),
    reason: optionalArg(arg, holdReason, 'Reason of the hold; null or absent to release the execution.'),
  }),
  run: ({ executions }, viewer, { id, reason }) => executions.setHold(viewer, id, reason ?? null),
});

deletion('deleteExecution', 'TestExecution', 'execution:delete', {
  description:
    'Deletes an execution with its results and events. For a large one, the findings follow within seconds. Error ' +
    'CONFLICT for an execution under a legal hold.',
  id: idText,
  run: ({ executions }, viewer, id) => executions.remove(viewer, id),
});
