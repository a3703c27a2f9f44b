// Applies the general limit on requests ahead of GraphQL and REST, and reports the rest in headers.
import type { IncomingMessage } from 'node:http';
import { isOutage } from '../core/errors.js';
import type { Viewer } from '../core/permissions.js';
import {
  type Allowance,
  type RequestQuota,
  requestWindowSeconds,
} from '../infra/rate-limiting/request-quota.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';

/** Names the owner of the credential. */
type CheckCredential = (authorization: string) => Promise<{ id: string }>;

interface RequestLimitOptions {
  requests: RequestQuota;
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  /** Returns the viewer when it is cached. */
  recall: (authorization: string) => Viewer | undefined;
  /** Checks the credential of a path whose callers are no users; undefined where they are. */
  credentialAt: (path: string) => CheckCredential | undefined;
  /** Whether the limit does not count requests to a path. */
  isFree: (path: string) => boolean;
}

/** The caller: null for an anonymous one; undefined when the token was not examined or is not valid. */
export type Caller = Viewer | null | undefined;

/** Counts a request, then calls `next` with its caller or `refuse` with the error. A cached caller costs no wait. */
type RequestLimits = (
  request: IncomingMessage,
  store: RequestContext,
  path: string,
  next: (caller: Caller) => void,
  refuse: (error: unknown) => void,
) => void;

/** Creates the limits. A request with an invalid token counts as anonymous; its handler refuses it. */
export function createRequestLimits({
  requests,
  authenticate,
  recall,
  credentialAt,
  isFree,
}: RequestLimitOptions): RequestLimits {
  return (request, store, path, next, refuse) => {
    const count = (countedId: string | null, caller: Caller) => {
      const allowance = requests.isOff ? undefined : requests.take(countedId, store.ip);
      if (allowance !== undefined) addHeaders(store, allowance);
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
    const check = credentialAt(path);
    const cached = check === undefined ? recall(authorization) : undefined;
    if (cached !== undefined) {
      count(cached.userId, cached);
      return;
    }
    const identified: Promise<readonly [string | null, Caller]> =
      check === undefined
        ? authenticate(authorization).then((viewer) => [viewer?.userId ?? null, viewer])
        : check(authorization).then(({ id }) => [id, undefined]);
    identified
      .then(
        ([id, caller]) => count(id, caller),
        (error: unknown) => {
          // Without the database a handler would only wait for it again; it reports every other error.
          if (isOutage(error)) refuse(error);
          else count(null, undefined);
        },
      )
      .catch(refuse);
  };
}

/** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). */
function addHeaders({ headers }: RequestContext, { limit, remaining, resetSeconds }: Allowance): void {
  headers?.push('RateLimit-Policy', `"default";q=${limit};w=${requestWindowSeconds}`);
  headers?.push('RateLimit', `"default";r=${remaining};t=${resetSeconds}`);
}
