// Reads what a browser brings to a sign-in: the server's URL as it sees it, and the cookie with its secret.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../core/errors.js';
import type { Browser } from './sso.service.js';

/** Where the server is. */
export interface PublicPlace {
  /** PUBLIC_URL; without it the host that the request names counts, which a page of others cannot change. */
  publicUrl: string | undefined;
  /** Whether a proxy in front is believed. */
  isProxied: boolean;
}

/** Cookies live as long as a sign-in may take, and a moment for the exchange of its code. */
const cookieSeconds = 900;
const hostPattern = /^[A-Za-z0-9.-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/;

/** Browsers take a cookie of this prefix only over https, for the whole host, and from no other host of the domain. */
const cookieName = (baseUrl: string) =>
  baseUrl.startsWith('https:') ? '__Host-sec-tester-sso' : 'sec-tester-sso';

/** What the browser of a request brings. @throws VALIDATION_FAILED for a host that is none */
export function browserOf({ headers }: IncomingMessage, { publicUrl, isProxied }: PublicPlace): Browser {
  const baseUrl =
    publicUrl ??
    `${isProxied && headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'}://${hostOf(headers.host)}`;
  const name = `${cookieName(baseUrl)}=`;
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return { baseUrl, secret: pairs.find((pair) => pair.startsWith(name))?.slice(name.length) };
}

function hostOf(host: string | undefined): string {
  if (host !== undefined && hostPattern.test(host)) return host;
  throw new AppError('VALIDATION_FAILED', { message: 'The Host header is not valid.' });
}

/** The header that leaves the secret with the browser: out of reach of scripts, and not sent along by pages of others. */
export function cookieOf(secret: string, { baseUrl }: Browser): string {
  const secure = baseUrl.startsWith('https:') ? '; Secure' : '';
  return `${cookieName(baseUrl)}=${secret}; Path=/; Max-Age=${cookieSeconds}; HttpOnly; SameSite=Lax${secure}`;
}
