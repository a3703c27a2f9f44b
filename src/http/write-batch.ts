// Hands responses to their sockets, all responses of one turn of the event loop together.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';

/**
 * Ends a response at the end of this turn of the event loop. A write wakes the client that waits for it, which costs
 * more than making a small response. Responses that are written one after another share that cost (docs/adr/0016).
 * A response whose client has disconnected meanwhile is dropped.
 */
export function endInBatch(response: ServerResponse, text: string): void {
  if (pending.length === 0) setImmediate(outsideRequests, flush);
  pending.push({ response, text });
}

let pending: { response: ServerResponse; text: string }[] = [];

/** Keeps the context of one request out of the work that another request's response starts. */
const outsideRequests = AsyncLocalStorage.snapshot();

function flush(): void {
  const batch = pending;
  pending = [];
  for (const { response, text } of batch) response.end(text);
}
