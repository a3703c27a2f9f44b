// Writes the head of a response from the headers that wait in the context of its request, and the writer's own.
import type { ServerResponse } from 'node:http';
import type { RequestContext } from '../infra/telemetry/request-context.js';

/**
 * Sets the headers that wait in the context, for Express and Yoga, which write the head themselves.
 * @param store its headers are taken out, so that a second call sets nothing
 */
export function applyHeaders(response: ServerResponse, store: RequestContext): void {
  const { headers = [] } = store;
  store.headers = [];
  for (let index = 0; index < headers.length; index += 2)
    response.setHeader(headers[index] as string, headers[index + 1] as string);
}

/**
 * Writes the head in one call: Node checks a flat list faster than it sets headers one by one.
 * @param own more headers, names and values in turn
 */
export function writeHead(
  response: ServerResponse,
  status: number,
  store: RequestContext,
  own: readonly string[],
): void {
  const { headers = [] } = store;
  headers.push(...own);
  response.writeHead(status, headers);
}
