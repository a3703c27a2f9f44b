// Admits bursts of expensive requests, such as sign-ins, a few per turn of the event loop, so that others pass between.
import { AsyncResource } from 'node:async_hooks';
import { AppError } from '../core/errors.js';
import type { RequestContext } from '../infra/telemetry/request-context.js';

const admittedPerTurn = 4;
const retryAfterSeconds = 5;

/** The parts of a route that admission needs. */
interface AdmittedRoute {
  method: string;
  path: string;
  /** Whether one more request may wait for what the route needs; absent for routes that are admitted at once. */
  hasCapacity?: () => boolean;
}

/** A request of any route. */
interface Arrival {
  method: string | undefined;
  path: string;
  store: RequestContext;
  /** Handles the request. */
  work: () => void;
  /** Answers with an error. */
  refuse: (error: unknown) => void;
}

/**
 * Creates the queue. A request of a route that has a capacity waits for its turn; every other request runs at once.
 * A request that finds no capacity in its turn is refused with UNAVAILABLE before its body is read.
 * @param onRefusal is called for every refused request
 */
export function createAdmissionQueue(routes: readonly AdmittedRoute[], onRefusal: () => void) {
  const capacities = new Map(
    routes.map(({ method, path, hasCapacity }) => [`${method} ${path}`, hasCapacity]),
  );
  const waiting: (() => void)[] = [];

  function runTurn(): void {
    for (const enter of waiting.splice(0, admittedPerTurn)) enter();
    if (waiting.length > 0) setImmediate(runTurn);
  }

  return ({ method, path, store, work, refuse }: Arrival): void => {
    const hasCapacity = capacities.get(`${method?.toLowerCase()} ${path}`);
    if (hasCapacity === undefined) {
      work();
      return;
    }
    store.route = path;
    const enter = () => {
      if (store.response?.destroyed === true) return; // its client has disconnected
      if (hasCapacity()) {
        work();
        return;
      }
      onRefusal();
      refuse(new AppError('UNAVAILABLE', { retryAfterSeconds }));
    };
    if (waiting.push(AsyncResource.bind(enter)) === 1) setImmediate(runTurn);
  };
}
