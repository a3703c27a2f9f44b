// Checks an operation that comes over a WebSocket, as an HTTP request is checked, before it is executed.
import type { ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode, type OperationResult } from 'graphql-ws';
import { AppError } from '../../../core/errors.js';
import type { Viewer } from '../../../core/permissions.js';
import type { DocumentParams } from '../../documents/persisted-operations.js';
import type { GraphQLServer } from '../../http/yoga.js';
import type { Connection } from './connection.js';

interface OperationOptions {
  yoga: GraphQLServer;
  /** Operations that may run at a time on one connection. */
  maxPerConnection: number;
  /** The viewer, or null for credentials that are not valid. */
  check: (authorization: string | undefined) => Promise<Viewer | null>;
  /** Counts the operation as a request. */
  take: (viewer: Viewer) => AppError | undefined;
  onRefusal: () => void;
  mask: (error: unknown) => GraphQLError;
  /** Returns the text of a listed document; absent when any document may run. */
  trusted: ((params: DocumentParams) => string) | undefined;
}

/** An operation with the functions that run it, which plugins may wrap. */
export interface CheckedOperation extends ExecutionArgs {
  execute: (args: ExecutionArgs) => OperationResult;
  subscribe: (args: ExecutionArgs) => OperationResult;
}

/** Checks an operation; returns its arguments, or the errors that keep it from running. */
export type OperationCheck = (
  connection: Pick<Connection, 'socket' | 'authorization' | 'refusals'>,
  running: number,
  payload: DocumentParams & { operationName?: string | null; variables?: Record<string, unknown> | null },
) => Promise<CheckedOperation | readonly GraphQLError[]>;

/** Creates the check. Every operation counts as a request, a refused one too. */
export function createOperationCheck(options: OperationOptions): OperationCheck {
  const { yoga, maxPerConnection, check, take, onRefusal, mask, trusted } = options;
  const tooMany = () =>
    new AppError('RATE_LIMITED', { message: `At most ${maxPerConnection} operations at a time.` });
  return async ({ socket, authorization, refusals }, running, payload) => {
    try {
      const viewer = await check(authorization);
      if (viewer === null) {
        socket.close(CloseCode.Forbidden, 'Forbidden');
        return [mask(new AppError('TOKEN_REVOKED'))];
      }
      const exceeded = take(viewer);
      if (exceeded !== undefined) return refusals.add(exceeded);
      if (running > maxPerConnection) {
        onRefusal();
        return refusals.add(tooMany());
      }
      const enveloped = yoga.getEnveloped({ viewer, params: payload });
      const document = enveloped.parse(trusted?.(payload) ?? payload.query);
      const faults = enveloped.validate(enveloped.schema, document);
      if (faults.length > 0) return faults.map(mask);
      return {
        schema: enveloped.schema,
        document,
        operationName: payload.operationName,
        variableValues: payload.variables,
        contextValue: await enveloped.contextFactory(),
        execute: enveloped.execute,
        subscribe: enveloped.subscribe,
      };
    } catch (error) {
      return [mask(error)];
    }
  };
}
