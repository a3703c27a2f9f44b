// Refuses requests for a version of the API that this server does not have.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';
import { apiVersion } from './headers.js';

const [major, minor] = apiVersion.split('.').map(Number) as [number, number];

/**
 * Examines the header Accept-Version and the version in the path. Minor versions only add, so every earlier one of the
 * same major version is served.
 * @returns UNKNOWN_VERSION, or undefined for a version that is served
 */
export function refuseVersion({ headers }: IncomingMessage, path: string): AppError | undefined {
  const requested = headers['accept-version'];
  if (requested !== undefined && !isServed(String(requested))) return unknownVersion(String(requested));
  if (!path.startsWith('/api/v')) return undefined;
  const inPath = /^\/api\/v(\d[^/]*)/.exec(path)?.[1];
  return inPath === undefined || inPath === String(major) ? undefined : unknownVersion(inPath);
}

function isServed(requested: string): boolean {
  const [, requestedMajor, requestedMinor = '0'] =
    /^v?(\d{1,4})(?:\.(\d{1,4}))?$/.exec(requested.trim()) ?? [];
  return Number(requestedMajor) === major && Number(requestedMinor) <= minor;
}

function unknownVersion(requested: string): AppError {
  return new AppError('UNKNOWN_VERSION', {
    message: `This server has no version ${requested.slice(0, 20)} of the API. It has ${apiVersion}, at /api/v${major} and /graphql.`,
  });
}
