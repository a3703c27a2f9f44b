// When an answer is handed to its socket: with all others of the same turn of the event loop.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';

/**
 * Ends an answer once everything that came in with it has been looked at. A write wakes whoever waits at the other end,
 * which costs more than making a small answer: written one by one, between one request and the next, each of them pays
 * for it; written in a row, the first does. An answer to a client that has gone in the meantime goes nowhere.
 */
export function endTogether(response: ServerResponse, text: string): void {
  if (waiting.length === 0) setImmediate(outsideRequests, flush);
  waiting.push({ response, text });
}

let waiting: { response: ServerResponse; text: string }[] = [];

/** What follows from one request's answer must not run in the context of another. */
const outsideRequests = AsyncLocalStorage.snapshot();

function flush(): void {
  const ready = waiting;
  waiting = [];
  for (const { response, text } of ready) response.end(text);
}
