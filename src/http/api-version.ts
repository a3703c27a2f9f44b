// Which versions of the API there are, and what is answered to those who ask for another.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/errors.js';
import { apiVersion } from './headers.js';

const [major, minor] = apiVersion.split('.').map(Number) as [number, number];

/**
 * The refusal of a request for a version that is not there, by its Accept-Version header or its path. Minor versions
 * only add, so that every earlier one of the same major version is there too.
 */
export function versionFault({ headers }: IncomingMessage, path: string): AppError | undefined {
  const asked = headers['accept-version'];
  if (asked !== undefined && !isThere(String(asked))) return unknownVersion(String(asked));
  if (!path.startsWith('/api/v')) return undefined;
  const inPath = /^\/api\/v(\d[^/]*)/.exec(path)?.[1];
  return inPath === undefined || inPath === String(major) ? undefined : unknownVersion(inPath);
}

function isThere(asked: string): boolean {
  const [, askedMajor, askedMinor = '0'] = /^v?(\d{1,4})(?:\.(\d{1,4}))?$/.exec(asked.trim()) ?? [];
  return Number(askedMajor) === major && Number(askedMinor) <= minor;
}

function unknownVersion(asked: string): AppError {
  return new AppError('UNKNOWN_VERSION', {
    message: `There is no version ${asked.slice(0, 20)} of this API. There is: ${apiVersion}, at /api/v${major} and /graphql.`,
  });
}
