// The general limit on requests, ahead of GraphQL and REST alike: who is counted, and what an answer says about it.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';
import type { Viewer } from '../core/permissions.js';
import {
  type Allowance,
  type RequestMeter,
  requestWindowSeconds,
} from '../infra/rate-limiting/request-quota.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';

interface RequestLimitOptions {
  requests: RequestMeter;
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  /** The viewer, when it takes no waiting to know. */
  recall: (authorization: string) => Viewer | undefined;
  /** Paths that are not counted. */
  isFree: (path: string) => boolean;
}

/** Who asks; undefined when nobody has looked, or when the token is bad. */
export type Caller = Viewer | null | undefined;

/** Wraps a handler: what is refused gets `refuse`, the rest goes on. What is known already is not waited for. */
export function createRequestLimits({ requests, authenticate, recall, isFree }: RequestLimitOptions) {
  return (
    request: IncomingMessage,
    store: RequestContext,
    path: string,
    next: (caller: Caller) => void,
    refuse: (refusal: unknown) => void,
  ): void => {
    const count = (viewer: Viewer | null, caller: Caller) => {
      const allowance = requests.isOff ? undefined : requests.take(viewer, store.ip);
      if (allowance !== undefined) tell(store, allowance);
      if (allowance?.refusal === undefined) next(caller);
      else refuse(allowance.refusal);
    };
    const { authorization } = request.headers;
    if (isFree(path)) {
      next(undefined);
      return;
    }
    if (authorization === undefined) {
      count(null, null);
      return;
    }
    const known = recall(authorization);
    if (known !== undefined) {
      count(known, known);
      return;
    }
    authenticate(authorization)
      .then(
        (viewer) => count(viewer, viewer),
        (error: unknown) => {
          // Without the database whoever handles the request would only wait for it again; the rest is told there.
          if (error instanceof AppError && error.code === 'UNAVAILABLE') refuse(error);
          else count(null, undefined);
        },
      )
      .catch(refuse);
  };
}

/** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). */
function tell({ headers }: RequestContext, { limit, remaining, resetSeconds }: Allowance): void {
  headers?.push('RateLimit-Policy', `"default";q=${limit};w=${requestWindowSeconds}`);
  headers?.push('RateLimit', `"default";r=${remaining};t=${resetSeconds}`);
}
