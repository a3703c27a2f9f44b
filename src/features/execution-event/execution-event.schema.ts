// Live events in GraphQL: the type and the subscriptions.
import { invalid } from '../../core/errors.js';
import { parsePublicId, toPublicId } from '../../core/ids.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import { type GraphQLContext, viewerOf } from '../../graphql/schema-kit/context.js';
import { time } from '../../graphql/schema-kit/field-options.js';
import { enumType, filterArg, optionalArg, simpleArg } from '../../graphql/schema-kit/zod-inputs.js';
import { enumOf, idOf } from '../../validation/fields.js';
import { executionFilter } from '../execution/execution.input.js';
import { ExecutionType } from '../execution/execution.ref.js';
import { ResultType } from '../result/result.schema.js';
import type { ExecutionEvent } from './event-log.js';

const eventType = enumOf('ExecutionEventType', 'Type of an event of an execution.', {
  CREATED: 'It was created and waits for a runner.',
  STARTED: 'It was started or claimed.',
  PROGRESS: 'Its progress or phase was reported.',
  RESULTS_ADDED: 'Results were added.',
  CANCEL_REQUESTED: 'The server asks its runner to stop.',
  COMPLETED: 'It completed. No event follows.',
  FAILED: 'It ended with an error. No event follows.',
  CANCELLED: 'It was cancelled. No event follows.',
  INTERRUPTED: 'Its lease expired. No event follows.',
});

const ExecutionEventType = builder.objectRef<ExecutionEvent>('ExecutionEvent').implement({
  description: 'An entry of an execution’s log.',
  fields: (t) => ({
    id: t.id({
      description: 'Id of the event; pass it as `after` to resume after it.',
      resolve: ({ id }) => toPublicId('ExecutionEvent', id),
    }),
    type: t.field({
      type: enumType(eventType),
      description: 'Type of the event.',
      resolve: ({ type }) => type,
    }),
    at: t.expose('at', time('Time of the event.')),
    execution: t.field({
      type: ExecutionType,
      authScopes: { can: 'execution:read' },
      description: 'The execution right after the event.',
      resolve: ({ execution }) => execution,
    }),
    results: t.field({
      type: [ResultType],
      authScopes: { can: 'result:read' },
      description: 'For RESULTS_ADDED: the first 100 results of the batch; query for more.',
      resolve: ({ resultIds }, _args, context) =>
        resultIds.length === 0 ? [] : context.services.results.byIds(viewerOf(context), resultIds),
    }),
  }),
});

builder.subscriptionType({
  description: 'Watching live, over Server-Sent Events or WebSocket (graphql-transport-ws) on the same path.',
  fields: (t) => ({
    executionEvents: t.field({
      type: ExecutionEventType,
      authScopes: { can: 'execution:read' },
      description:
        'Every event of one execution, in order and without gaps: first the events after the cursor, then live ones. ' +
        'Completes after the terminal event.',
      args: {
        executionId: simpleArg(t.arg, idOf('TestExecution'), 'Id of the execution.'),
        after: optionalArg(
          t.arg,
          idOf('ExecutionEvent').nullish(),
          'Id of the last event seen; none means from the first.',
        ),
      },
      subscribe: (_root, { executionId, after }, context) => {
        const viewer = viewerOf(context);
        const { streams, events } = context.services;
        return streams.open(viewer, (signal, goOnWhile) =>
          events.follow(viewer, executionId, cursorOf(after, context), signal, goOnWhile),
        );
      },
      resolve: (event) => event as ExecutionEvent,
    }),
    executionsChanged: t.field({
      type: ExecutionEventType,
      authScopes: { can: 'execution:read' },
      description:
        'Changes to all executions that the caller may see, each execution in its order: first those after the cursor, ' +
        'then live ones. CURSOR_EXPIRED when the cursor is older than 24 hours or more than 10,000 events follow it.',
      args: {
        filter: filterArg(t.arg, 'ExecutionFilter', executionFilter),
        after: optionalArg(
          t.arg,
          idOf('ExecutionEvent').nullish(),
          'Id of the last event seen, of any execution; none means from now on.',
        ),
      },
      subscribe: (_root, { filter, after }, context) => {
        const viewer = viewerOf(context);
        const { streams, events } = context.services;
        return streams.open(viewer, (signal) =>
          events.changes(viewer, filter ?? {}, cursorOf(after, context), signal),
        );
      },
      resolve: (event) => event as ExecutionEvent,
    }),
  }),
});

/**
 * The cursor of the argument, else of the header Last-Event-ID: clients that connect again by themselves repeat the
 * document, and may change only the headers.
 * @throws VALIDATION_FAILED for a header that names no event
 */
function cursorOf(after: unknown, { request }: GraphQLContext): string | null {
  if (typeof after === 'string') return after;
  const header = request?.headers.get('last-event-id') ?? null;
  if (header === null || header === '') return null;
  const id = parsePublicId(header);
  if (id?.type !== 'ExecutionEvent') throw invalid('Last-Event-ID', 'is not the id of an event');
  return id.uuid;
}
