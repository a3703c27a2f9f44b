// Remembers the latest request of each connection, so that an error of the connection itself is answered in its turn.
import type { Duplex } from 'node:stream';
import type { RequestContext } from '../../infra/telemetry/request-context.js';

/** The latest request of a connection. */
export interface LatestRequest {
  store: RequestContext | undefined;
}

const latestOf = new WeakMap<Duplex, LatestRequest>();

/** Notes a request that begins. Node sends the responses of a connection in order, so that of the latest ends last. */
export function noteLatestRequest(connection: Duplex, store: RequestContext): LatestRequest {
  let latest = latestOf.get(connection);
  if (latest === undefined) {
    latest = { store };
    latestOf.set(connection, latest);
  } else latest.store = store;
  return latest;
}

/**
 * Forgets a request whose response has ended, so that an idle connection keeps nothing of it. One whose body is still
 * arriving is kept: an error in its body is its own.
 */
export function forgetRequest(latest: LatestRequest, store: RequestContext): void {
  if (latest.store === store && store.response?.req.complete === true) latest.store = undefined;
}

/** Returns the context of the latest request whose response or body has not ended, if there is one. */
export function unfinishedRequest(connection: Duplex): RequestContext | undefined {
  const store = latestOf.get(connection)?.store;
  const isFinished = store?.response?.writableFinished !== false && store?.response?.req.complete !== false;
  return isFinished ? undefined : store;
}
