// A mail server in tests: a real SMTP server that keeps the mails and answers as a test wants.
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** A mail as it arrived. */
export interface ReceivedMail extends ParsedMail {
  /** Recipients of the envelope. */
  recipients: string[];
  /** As it was sent. */
  raw: string;
  isEncrypted: boolean;
  user: string | undefined;
}

export interface MailServer {
  port: number;
  url: string;
  mails: ReceivedMail[];
  /** Passwords that were sent. */
  passwords: string[];
  /** The answer to mails from now on, by recipient: a code that refuses them, or 'hang'; undefined takes them. */
  answer: (answer: (recipient: string) => number | 'hang' | undefined) => void;
  /** Mails that the server hangs on. */
  hanging: () => number;
  close: () => Promise<void>;
}

/** STARTTLS by a certificate for 127.0.0.1, and a user with a password. */
export const guarded: SMTPServerOptions = {
  key: readFileSync('tests/fixtures/tls/key.pem'),
  cert: readFileSync('tests/fixtures/tls/mail-certificate.pem'),
  disabledCommands: [],
  authOptional: false,
};
export const mailUser = { name: 'sec tester@mail', password: 'p@ss:wörd/%41' } as const;

/** Starts a server on a port of its own, or on a given one. */
export async function startMailServer(options: SMTPServerOptions = {}, port = 0): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const passwords: string[] = [];
  let hanging = 0;
  let answer: (recipient: string) => number | 'hang' | undefined = () => undefined;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 100,
    ...options,
    onAuth({ username, password }, _session, done) {
      passwords.push(password ?? '');
      if (username === mailUser.name && password === mailUser.password) done(null, { user: username });
      else done(new Error('wrong'));
    },
    onData(stream, session, done) {
      const recipients = session.envelope.rcptTo.map(({ address }) => address);
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const given = answer(recipients[0] ?? '');
        const raw = Buffer.concat(chunks).toString('utf8');
        if (typeof given === 'number')
          return done(Object.assign(new Error(`no ${recipients[0]} here`), { responseCode: given }));
        const { secure: isEncrypted, user } = session;
        mails.push({
          ...(await simpleParser(raw)),
          raw,
          recipients,
          isEncrypted,
          user: user as string | undefined,
        });
        if (given === 'hang') hanging += 1;
        else done();
      });
    },
  });
  server.on('error', () => {}); // a client that went away
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `smtp://127.0.0.1:${bound}`,
    mails,
    passwords,
    answer: (next) => {
      answer = next;
    },
    hanging: () => hanging,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The token of the link in a mail. */
export function tokenIn({ text = '' }: ParsedMail): string {
  const [token] = /sti_[\w-]{43}/.exec(text) ?? [];
  if (token === undefined) throw new Error(`no link in: ${text}`);
  return token;
}

/** Settings of a server that sends mails. */
export const mailSettings = (url: string) => ({
  SMTP_URL: url,
  SMTP_FROM: 'SEC-TESTER <sec-tester@example.test>',
  PUBLIC_URL: 'https://sec.example.test/tools',
});
