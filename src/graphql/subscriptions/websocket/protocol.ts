// The protocol graphql-transport-ws, by graphql-ws: hands each message to the check, the executor or the stream of answers.
import type { ExecutionResult, GraphQLError } from 'graphql';
import { makeServer, type Server } from 'graphql-ws';
import { hasText } from '../../documents/response-text.js';
import type { GraphQLContext } from '../../schema-kit/context.js';
import { inThisRequest } from '../backpressure.js';
import type { ConnectionAuthentication } from './authentication.js';
import type { Connection } from './connection.js';
import { forward, sendWhole } from './frames.js';
import type { CheckedOperation, OperationCheck } from './operations.js';

interface ProtocolOptions {
  admit: ConnectionAuthentication['admit'];
  checkOperation: OperationCheck;
  /** Turns an error into what a client may see, and logs it. */
  mask: (error: unknown) => GraphQLError;
  /** Longest time before a connection has to authenticate, in milliseconds. */
  greetingMs: number;
}

/** Creates the protocol's side of the server. */
export function createProtocol(options: ProtocolOptions): Server<{ connection: Connection }> {
  const { admit, checkOperation, mask, greetingMs } = options;
  const masked = (result: ExecutionResult): ExecutionResult =>
    result.errors === undefined ? result : { ...result, errors: result.errors.map(mask) };
  return makeServer<Record<string, unknown>, { connection: Connection }>({
    connectionInitWaitTimeout: greetingMs,
    onConnect: ({ connectionParams, extra }) => admit(extra.connection, connectionParams),
    onSubscribe: ({ extra, subscriptions }, _id, payload) =>
      checkOperation(extra.connection, Object.keys(subscriptions).length, payload),
    execute: (args) => (args as CheckedOperation).execute(args),
    subscribe: (args) => (args as CheckedOperation).subscribe(args),
    onOperation: ({ extra }, id, _payload, { contextValue }, result) => {
      const { answers } = contextValue as GraphQLContext;
      if (hasText(result)) return sendWhole(result.stringify(masked(result)), id, extra.connection);
      return answers && forward(answers, id, extra.connection, inThisRequest(masked));
    },
    onError: (_context, _id, _payload, errors) => errors.map(mask),
    onNext: (_context, _id, _payload, _args, result) => masked(result),
  });
}
