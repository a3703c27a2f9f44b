// Where the server is, as its callers see it: for absolute URLs that it hands out.
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../core/errors.js';

/** Where the server is. */
export interface PublicPlace {
  /** PUBLIC_URL; without it the host that the request names counts, which a page of others cannot change. */
  publicUrl: string | undefined;
  /** Whether a proxy in front is believed. */
  isProxied: boolean;
}

const hostPattern = /^[A-Za-z0-9.-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/;

/** The URL of the server, without a slash at its end. @throws VALIDATION_FAILED for a host that is none */
export function baseUrlOf(headers: IncomingHttpHeaders, { publicUrl, isProxied }: PublicPlace): string {
  if (publicUrl !== undefined) return publicUrl;
  const { host } = headers;
  if (host === undefined || !hostPattern.test(host))
    throw new AppError('VALIDATION_FAILED', { message: 'The Host header is not valid.' });
  return `${isProxied && headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'}://${host}`;
}
