// Reads what a browser brings to a sign-in: the server's URL as it sees it, and the cookie with its secret.
import type { IncomingMessage } from 'node:http';
import { baseUrlOf, type PublicPlace } from '../../infra/public-place.js';
import type { Browser } from './sso.service.js';

/** Cookies live as long as a sign-in may take, and a moment for the exchange of its code. */
const cookieSeconds = 900;

/** Browsers take a cookie of this prefix only over https, for the whole host, and from no other host of the domain. */
const cookieName = (baseUrl: string) =>
  baseUrl.startsWith('https:') ? '__Host-sec-tester-sso' : 'sec-tester-sso';

/** Reads the browser's part of a sign-in from a request. @throws VALIDATION_FAILED for a host that is none */
export function browserOf({ headers }: IncomingMessage, place: PublicPlace): Browser {
  const baseUrl = baseUrlOf(headers, place);
  const name = `${cookieName(baseUrl)}=`;
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return { baseUrl, secret: pairs.find((pair) => pair.startsWith(name))?.slice(name.length) };
}

/** The header that leaves the secret with the browser: out of reach of scripts, and not sent along by pages of others. */
export function cookieOf(secret: string, { baseUrl }: Browser): string {
  const secure = baseUrl.startsWith('https:') ? '; Secure' : '';
  return `${cookieName(baseUrl)}=${secret}; Path=/; Max-Age=${cookieSeconds}; HttpOnly; SameSite=Lax${secure}`;
}
