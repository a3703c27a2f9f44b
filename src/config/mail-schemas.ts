// The zod shapes of the settings of mail: the server, the sender and the page that links lead to.
import { z } from 'zod';
import { text } from './schemas.js';

/** @returns a shape that accepts the URL of a page with `{token}` once, in its fragment, which browsers send to no server. */
export function linkUrl() {
  const isLink = (value: string) =>
    /^https?:\/\/[^#{}]+#[^{}]*\{token\}[^{}]*$/.test(value) && URL.canParse(value);
  return z.string().refine(isLink, {
    error:
      'an http or https URL with {token} in its fragment, such as https://app.example.com/password#{token}',
  });
}

/** A mail server. */
export interface SmtpServer {
  host: string;
  port: number;
  /** Whether TLS begins with the connection. */
  isSecure: boolean;
  user?: string;
  password?: string;
}

const smtpPorts = { 'smtp:': 587, 'smtps:': 465 } as const;

/** @returns a shape that accepts the URL of a mail server (schemes smtp and smtps), and gives the server. */
export function smtpUrl() {
  const expected = 'smtp://[user@]host[:port] or smtps://[user@]host[:port], without path and query';
  return z.string().transform((value, context): SmtpServer => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const isServer =
      url !== undefined &&
      /^smtps?:$/.test(url.protocol) &&
      url.hostname !== '' &&
      /^\/?$/.test(url.pathname);
    const [user, password] = isServer ? [url.username, url.password].map(decoded) : [];
    if (!isServer || user === undefined || password === undefined || url.search !== '' || url.hash !== '') {
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    }
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? smtpPorts[url.protocol as 'smtp:'] : Number(url.port),
      isSecure: url.protocol === 'smtps:',
      ...(user !== '' && { user }),
      ...(password !== '' && { password }),
    };
  });
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** @returns a shape that accepts an e-mail address, or `Name <address>`. */
export function sender() {
  return text(
    /^(?:[^\s@<>"]{1,64}@[^\s@<>"]{1,189}|[^<>"\p{Cc}\p{Bidi_Control}]{1,100}<[^\s@<>"]{1,64}@[^\s@<>"]{1,189}>)$/u,
    'an e-mail address, or a name and an address: SEC-TESTER <sec-tester@example.com>',
  );
}
