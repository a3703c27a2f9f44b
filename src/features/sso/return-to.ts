// Decides which pages may get one-time codes, so that nobody can have a code sent elsewhere (open redirect).

/** A page that may get a code. */
export interface ReturnPage {
  href: string;
  /** Whether it is on the user's computer, such as the command line's (RFC 8252, section 7.3). */
  isLoopback: boolean;
}

/** The origins whose pages may get codes: the server's own, and those of CORS_ORIGINS. */
export function originsOf(baseUrl: string, corsOrigins: readonly string[]): readonly string[] {
  return [new URL(baseUrl).origin, ...corsOrigins];
}

/** Loopback addresses only: the name localhost may resolve to another computer. */
const loopback = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):\d{1,5}$/;
const maxLength = 2000;

/**
 * Checks a page as browsers read it, not as it is spelled.
 * @param text a URL, or a path on the server
 * @returns undefined for a page that may not get codes
 */
export function returnToOf(
  text: string,
  baseUrl: string,
  origins: readonly string[],
): ReturnPage | undefined {
  if (text.length > maxLength || !URL.canParse(text, baseUrl)) return undefined;
  const url = new URL(text, baseUrl);
  if (url.username !== '' || url.password !== '') return undefined;
  if (origins.includes(url.origin)) return { href: url.href, isLoopback: false };
  return loopback.test(url.origin) ? { href: url.href, isLoopback: true } : undefined;
}

/** The page with parameters in its query; those of the same names are replaced. */
export function withParameters(href: string, parameters: Record<string, string>): string {
  const url = new URL(href);
  for (const name of ['code', 'error']) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}
