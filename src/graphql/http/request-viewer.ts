// Finds out who a request through Yoga is from, and creates the context in which its fields run.
import type { DocumentNode } from 'graphql';
import type { Plugin, YogaInitialContext } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { asksOnlyPublic } from '../documents/public-operations.js';
import type { CreateContext } from '../subscriptions/shared-execution.js';

/** Checks an Authorization header. @throws AppError of status 401 for credentials that are not valid */
export type Authenticate = (authorization: string | undefined) => Promise<Viewer | null>;

/** Creates contexts, and notes in the request's own who it is from. */
export function notingViewer(createContext: CreateContext): CreateContext {
  return (viewer) => {
    const store = currentRequest();
    if (store !== undefined && viewer !== null) {
      store.userId = viewer.userId;
      if (viewer.sessionId !== undefined) store.sessionId = viewer.sessionId;
    }
    return createContext(viewer);
  };
}

/**
 * Finds the viewer of what Yoga runs: a WebSocket's is known, an HTTP request names its own. A stale token keeps nobody from
 * signing in or refreshing, because clients send the header with everything.
 */
export function createViewerOf(authenticate: Authenticate) {
  return async (initial: YogaInitialContext): Promise<Viewer | null> => {
    if ('viewer' in initial) return initial.viewer as Viewer | null;
    try {
      return await authenticate(initial.request.headers.get('authorization') ?? undefined);
    } catch (error) {
      const { document } = initial as { document?: DocumentNode };
      const isStale = error instanceof AppError && error.status === 401;
      if (isStale && document !== undefined && asksOnlyPublic(document, initial.params.operationName))
        return null;
      throw error;
    }
  };
}

/** Yoga plugin: puts the parsed document into the initial context, where {@link createViewerOf} looks for it. */
export const keepDocument: Plugin<{ document?: DocumentNode }> = {
  onParse:
    () =>
    ({ result, extendContext }) => {
      if (!(result instanceof Error)) extendContext({ document: result });
    },
};
