// Finds out who opens a WebSocket, and whether the credentials still hold at each of its operations.
import { CloseCode } from 'graphql-ws';
import type { Logger } from 'pino';
import { AppError } from '../../../core/errors.js';
import type { Viewer } from '../../../core/permissions.js';
import { logRefusal } from '../../../infra/logging/security-events.js';
import type { Connection } from './connection.js';
import type { OpenCounter } from './limits.js';

/** The services that know who a viewer is. */
export interface AuthenticationServices {
  auth: { authenticate: (authorization: string | undefined) => Promise<Viewer | null> };
  /** Calls `end` when the viewer's session or key ends; returns how to stop watching. */
  streams: { watch: (viewer: Viewer, end: () => void) => () => void };
}

/** Authenticates connections. */
export interface ConnectionAuthentication {
  /**
   * The viewer, or null for credentials that are not valid.
   * @throws UNAVAILABLE
   */
  check: (authorization: string | undefined) => Promise<Viewer | null>;
  /**
   * Admits a connection with the credentials of connectionParams.authorization, else of the handshake's header.
   * @returns whether it may go on
   */
  admit: (connection: Connection, params: Record<string, unknown> | undefined) => Promise<boolean>;
}

/**
 * Creates the authentication.
 * @param openOfUser counts the connections of each user
 */
export function createConnectionAuthentication(
  { auth, streams }: AuthenticationServices,
  openOfUser: OpenCounter,
  log: Logger,
): ConnectionAuthentication {
  async function check(authorization: string | undefined): Promise<Viewer | null> {
    return auth.authenticate(authorization).catch((error: unknown) => {
      if (!(error instanceof AppError && error.status === 401)) throw error;
      logRefusal(log, error, 'connection');
      return null;
    });
  }

  async function admit(connection: Connection, params?: Record<string, unknown>): Promise<boolean> {
    const { socket, header, onClose } = connection;
    const given = params?.authorization ?? params?.Authorization ?? header;
    if (typeof given !== 'string') return false;
    const viewer = await check(given);
    if (viewer === null || socket.readyState !== socket.OPEN) return false;
    const leave = openOfUser.take(viewer.userId);
    if (leave === undefined) {
      socket.close(CloseCode.TooManyInitialisationRequests, 'Too many connections of this user');
      return false;
    }
    connection.authorization = given;
    const unwatch = streams.watch(viewer, () => socket.close(CloseCode.Forbidden, 'Forbidden'));
    onClose.push(unwatch, leave);
    return true;
  }

  return { check, admit };
}
