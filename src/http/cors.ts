// Which pages of other origins may call the API, and what they may send and read (CORS).
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';

/** Sets the headers of CORS; answers a preflight itself, and calls `next` for every other request. */
export type Cors = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** @param origins that may call, as browsers name them */
export function createCors(origins: readonly string[]): Cors {
  const handler = cors({
    origin: [...origins],
    methods: ['GET', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'X-Correlation-ID', 'Accept-Version'],
    exposedHeaders: [
      ...['X-Correlation-ID', 'API-Version', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
      ...['Deprecation', 'Sunset', 'Link'],
    ],
    maxAge: 600,
  });
  return (request, response, next) => handler(request, response, next);
}
