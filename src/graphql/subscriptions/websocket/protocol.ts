// The protocol graphql-transport-ws, by graphql-ws: hands each message to the check, the executor or the stream of answers.
import type { ExecutionResult, GraphQLError } from 'graphql';
import { makeServer, type Server } from 'graphql-ws';
import type { GraphQLContext } from '../../schema-kit/context.js';
import { inThisRequest } from '../backpressure.js';
import type { ConnectionAuthentication } from './authentication.js';
import type { Connection } from './connection.js';
import { forward } from './frames.js';
import type { CheckedOperation, OperationCheck } from './operations.js';

interface ProtocolOptions {
  admit: ConnectionAuthentication['admit'];
  checkOperation: OperationCheck;
  /** Turns an error into what a client may see, and logs it. */
  mask: (error: unknown) => GraphQLError;
  /** How long a connection may wait before it says who it is, in milliseconds. */
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
    onOperation: ({ extra }, id, _payload, { contextValue }) => {
      const { answers } = contextValue as GraphQLContext;
      return answers && forward(answers, id, extra.connection, inThisRequest(masked));
    },
    onError: (_context, _id, _payload, errors) => errors.map(mask),
    onNext: (_context, _id, _payload, _args, result) => masked(result),
  });
}
