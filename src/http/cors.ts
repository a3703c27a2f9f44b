// Lets listed pages of other origins call the API (CORS), and logs refused ones with the name of the setting.
import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Logger } from 'pino';

/** Sets the headers of CORS; answers a preflight itself, and calls `next` for every other request. */
type Cors = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** @param origins that may call, as browsers name them */
export function createCors(origins: readonly string[]): Cors {
  const handler = cors({
    origin: [...origins],
    methods: ['GET', 'POST'],
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Content-Encoding',
      'X-Correlation-ID',
      'Accept-Version',
      'Last-Event-ID',
    ],
    exposedHeaders: [
      ...['X-Correlation-ID', 'API-Version', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
      ...['Deprecation', 'Sunset', 'Link'],
    ],
    maxAge: 600,
  });
  return (request, response, next) => handler(request, response, next);
}

/** Logs a request whose origin may not call; other requests are ignored. */
export type OriginLog = (request: IncomingMessage) => void;

/** Lines about refused origins in a window: nobody can flood the log with made-up ones. */
const maxLines = 20;
const windowMs = 600_000;

/**
 * Creates what logs a request of an origin that is neither listed nor this very host: once per origin in ten minutes, and
 * at most twenty origins.
 * @param now milliseconds since 1970
 */
export function createOriginLog(log: Logger, origins: readonly string[], now: () => number): OriginLog {
  const logged = new Set<string>();
  let windowBegan = Number.NEGATIVE_INFINITY;
  return ({ headers, method }) => {
    const { origin, host } = headers;
    if (origin === undefined || origins.includes(origin) || isHost(origin, host)) return;
    const at = now();
    if (at - windowBegan >= windowMs) {
      windowBegan = at;
      logged.clear();
    }
    const shown = origin.slice(0, 200);
    if (logged.has(shown) || logged.size >= maxLines) return;
    logged.add(shown);
    log.warn(
      { event: 'cors_refused', origin: shown, setting: 'CORS_ORIGINS', method },
      `the origin ${shown} may not call the API from a browser: CORS_ORIGINS does not list it`,
    );
  };
}

/** Whether an origin is the host that the request names: pages of the server itself call it. */
function isHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
