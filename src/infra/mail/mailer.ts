// Hands mails to a mail server over SMTP, within a bound of time, with TLS unless the settings allow to do without.
import { BlockList, isIP } from 'node:net';
import { createTransport, type NodemailerError, type SMTPTransportOptions } from 'nodemailer';

/** Where and as whom mails are handed over. */
export interface MailerOptions {
  server: {
    host: string;
    port: number;
    /** Whether TLS begins with the connection. */
    isSecure: boolean;
    user?: string;
    password?: string;
  };
  password: string | undefined;
  /** Whether the server must offer STARTTLS; unset, unless it is on this machine. */
  tls: 'required' | 'optional' | undefined;
  /** An address, or `Name <address>`. */
  from: string;
  /** Longest time of an attempt, in milliseconds. */
  timeoutMs: number;
}

/** A mail in plain text. */
export interface MailMessage {
  /** The same for every attempt, so that a mailbox may recognise a mail that comes twice. */
  id: string;
  to: string;
  subject: string;
  text: string;
  /** BCP 47. */
  language: string;
}

/** The outcome of an attempt: an error, unless the server took the mail. */
export interface MailAttempt {
  error?: string;
  /** Whether the server will not take this mail later either. */
  isPermanent?: boolean;
}

/** Hands mails over. */
export interface Mailer {
  /** @param stopped ends the attempt, whose outcome is unknown then */
  send: (message: MailMessage, stopped: AbortSignal) => Promise<MailAttempt>;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Creates a mailer. Each mail has a connection of its own. */
export function createMailer(options: MailerOptions): Mailer {
  const from = senderOf(options.from);
  const transport = createTransport(transportOptions(options));
  return {
    async send({ id, to, subject, text, language }, stopped) {
      const timeout = AbortSignal.timeout(options.timeoutMs);
      const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
      try {
        await transport.sendMail({
          from,
          to: { name: '', address: to },
          subject,
          text,
          messageId: `<${id}@${domain}>`,
          headers: {
            'Auto-Submitted': 'auto-generated', // RFC 3834: nobody's absence is announced to it
            'X-Auto-Response-Suppress': 'All',
            'Content-Language': language,
          },
          signal: AbortSignal.any([timeout, stopped]),
        });
        return {};
      } catch (error) {
        if (timeout.aborted) return { error: `no answer within ${options.timeoutMs / 1000} s` };
        return stopped.aborted ? { error: 'the server stopped' } : outcomeOf(error as NodemailerError);
      }
    },
  };
}

/** The options of nodemailer. It reads no URL itself, as its query could switch checks off. */
function transportOptions({ server, password, tls, timeoutMs }: MailerOptions): SMTPTransportOptions {
  const { host, port, isSecure, user } = server;
  const isLocal = isLoopback(host);
  const isRequired = tls === undefined ? !isLocal : tls === 'required';
  const limits = {
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
  };
  return {
    ...limits,
    host,
    port,
    secure: isSecure,
    requireTLS: !isSecure && isRequired,
    // A server on this machine that may do without TLS needs no certificate either.
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: isSecure || isRequired || !isLocal },
    ...(user !== undefined && { auth: { user, pass: password ?? server.password ?? '' } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function senderOf(from: string): { name: string; address: string } {
  const [, name = '', address = from] = /^(.*)<(.*)>$/.exec(from) ?? [];
  return { name: name.trim(), address };
}

/** Errors before the server has said anything; the words are Node's. */
const ownWords = new Set(['ESOCKET', 'EDNS', 'ETLS', 'ETIMEDOUT']);

/** Names the fault without the server's words, which may quote addresses. */
function outcomeOf({ code = 'unknown error', responseCode, command, message }: NodemailerError): MailAttempt {
  const isOwn = responseCode === undefined && ownWords.has(code);
  const parts = [code, command, responseCode].filter((part) => part !== undefined);
  return {
    error: `${parts.join(' ')}${isOwn ? `: ${message}` : ''}`.slice(0, 200),
    isPermanent:
      (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== undefined && responseCode >= 500,
  };
}
