// Refuses WebSocket handshakes before the upgrade, by origin and subprotocol; protocol.ts has what follows.
import type { IncomingMessage } from 'node:http';

/** The subprotocol of graphql-ws. */
export const subprotocol = 'graphql-transport-ws';

/**
 * A browser's page may only connect from an allowed origin or from this very host.
 * @returns the status line of the refusal, or undefined
 */
export function refuseUpgrade(request: IncomingMessage, allowed: readonly string[]): string | undefined {
  const { origin, host } = request.headers;
  if (origin !== undefined && !allowed.includes(origin) && !isSameHost(origin, host)) return '403 Forbidden';
  const offered = String(request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim());
  return offered.includes(subprotocol) ? undefined : '400 Bad Request';
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
