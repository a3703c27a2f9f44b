// The general limit on requests, ahead of GraphQL and REST alike: who is counted, and what an answer says about it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Viewer } from '../core/access.js';
import { AppError } from '../core/errors.js';
import { currentRequest } from '../infra/request-context.js';
import { type Allowance, type RequestMeter, requestWindowSeconds } from '../infra/request-meter.js';

interface RequestLimitOptions {
  requests: RequestMeter;
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  /** Paths that are not counted. */
  isFree: (path: string) => boolean;
}

/** Wraps a handler: what is refused gets `refuse`, the rest goes on. Without Authorization nothing is awaited. */
export function createRequestLimits({ requests, authenticate, isFree }: RequestLimitOptions) {
  return (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    next: () => void,
    refuse: (refusal: unknown) => void,
  ): void => {
    const count = (viewer: Viewer | null) => {
      let allowance: Allowance | undefined;
      try {
        allowance = requests.take(viewer, currentRequest()?.ip ?? null);
      } catch (error) {
        refuse(error);
        return;
      }
      if (allowance !== undefined) tell(response, allowance);
      if (allowance?.refusal === undefined) next();
      else refuse(allowance.refusal);
    };
    const { authorization } = request.headers;
    if (requests.isOff || isFree(path)) next();
    else if (authorization === undefined) count(null);
    else {
      authenticate(authorization).then(count, (error: unknown) => {
        // Without the database whoever handles the request would only wait for it again; the rest is told there.
        if (error instanceof AppError && error.code === 'UNAVAILABLE') refuse(error);
        else count(null);
      });
    }
  };
}

/** RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers). */
function tell(response: ServerResponse, { limit, remaining, resetSeconds }: Allowance): void {
  response.setHeader('RateLimit-Policy', `"default";q=${limit};w=${requestWindowSeconds}`);
  response.setHeader('RateLimit', `"default";r=${remaining};t=${resetSeconds}`);
}
