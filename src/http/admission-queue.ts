// Requests that come in crowds, as sign-ins do: a few per turn of the event loop, so that others pass between them.
import { AsyncResource } from 'node:async_hooks';
import type { RequestContext } from '../infra/telemetry/request-context.js';

const perTurn = 4;

/** A route, as far as admission goes. */
interface AdmittedRoute {
  method: string;
  path: string;
  /** Throws while there is no room. */
  assertRoom?: () => void;
}

/** A request of any route, and what is to be done with it. */
interface Arrival {
  method: string | undefined;
  path: string;
  store: RequestContext;
  work: () => void;
  refuse: (error: unknown) => void;
}

/** Lets requests pass at once, but for routes that tell whether they have room. */
export function createCrowds(routes: readonly AdmittedRoute[]) {
  const rooms = new Map(routes.map(({ method, path, assertRoom }) => [`${method} ${path}`, assertRoom]));
  const waiting: (() => void)[] = [];

  function run(): void {
    for (const work of waiting.splice(0, perTurn)) work();
    if (waiting.length > 0) setImmediate(run);
  }

  return ({ method, path, store, work, refuse }: Arrival): void => {
    const assertRoom = rooms.get(`${method?.toLowerCase()} ${path}`);
    if (assertRoom === undefined) {
      work();
      return;
    }
    store.route = path;
    const enter = () => {
      if (store.response?.destroyed === true) return; // nobody waits for it
      try {
        assertRoom();
        work();
      } catch (error) {
        refuse(error);
      }
    };
    if (waiting.push(AsyncResource.bind(enter)) === 1) setImmediate(run);
  };
}
