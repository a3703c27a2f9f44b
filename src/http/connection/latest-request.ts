// Remembers the latest request of each connection, so that an error of the connection itself is answered in its turn.
import type { Duplex } from 'node:stream';
import type { RequestContext } from '../../infra/telemetry/request-context.js';

const latest = new WeakMap<Duplex, RequestContext>();

/** Notes a request that begins. Node sends the responses of a connection in order, so that of the latest ends last. */
export function noteLatestRequest(connection: Duplex, store: RequestContext): void {
  latest.set(connection, store);
}

/**
 * Forgets a request whose response has ended, so that an idle connection keeps nothing of it. One whose body is still
 * arriving is kept: an error in its body is its own.
 */
export function forgetRequest(connection: Duplex, store: RequestContext): void {
  if (store.response?.req.complete === true && latest.get(connection) === store) latest.delete(connection);
}

/** Returns the context of the latest request whose response or body has not ended, if there is one. */
export function unfinishedRequest(connection: Duplex): RequestContext | undefined {
  const store = latest.get(connection);
  const isFinished = store?.response?.writableFinished !== false && store?.response?.req.complete !== false;
  return isFinished ? undefined : store;
}
