// Mails of a server in a process of its own: killed between handing a mail over and noting it, and with a company's own authority.
import { expect, it } from '@jest/globals';
import {
  guarded,
  type MailServer,
  mailSettings,
  mailUser,
  startMailServer,
  tokenIn,
} from '../../kit/network/mail-server.js';
import { createServerProcess, type ServerProcess } from '../../kit/programs/process.js';
import { until } from '../../kit/receiver.js';

const chosen = 'vellum orbit cactus 5177';

async function invite(server: ServerProcess, email: string): Promise<void> {
  const input = { email, name: 'Invited', role: 'VIEWER' };
  const answer = await server.change('createUser', input, 'mailedTo', await server.signIn());
  expect(answer.expectData().createUser.mailedTo).toBe(email);
}

/** Ends the time for which the instance that died holds the mail, as half a minute would. */
async function endHold(server: ServerProcess): Promise<void> {
  const rows = await server.sql(`UPDATE mails SET next_attempt_at = now() RETURNING state, attempts`);
  expect(rows).toEqual([{ state: 'PENDING', attempts: 1 }]);
}

const arrived = (box: MailServer, count: number) =>
  until(
    () => box.mails.length,
    (length) => length >= count,
  );

it('a mail whose server is killed before it could note it comes again, under the same id, and both links work', async () => {
  const box = await startMailServer();
  const server = await createServerProcess(mailSettings(box.url));
  try {
    await server.start();
    box.answer(() => 'hang');
    await invite(server, 'killed@people.test');
    await arrived(box, 1);
    await server.stop('SIGKILL');
    box.answer(() => undefined);
    await endHold(server);
    await server.start();
    await arrived(box, 2);
    const [first, second] = box.mails;
    expect(first?.messageId).toBe(second?.messageId);
    expect(second?.recipients).toEqual(['killed@people.test']);
    const token = tokenIn(first as never);
    expect(tokenIn(second as never)).not.toBe(token);
    const body = { token, newPassword: chosen };
    expect((await server.rest('POST', '/api/v1/auth/password', { body })).body.email).toBe(
      'killed@people.test',
    );
  } finally {
    await server.remove();
    await box.close();
  }
});

it('a certificate of an authority in NODE_EXTRA_CA_CERTS counts, where TLS is required', async () => {
  const box = await startMailServer(guarded);
  const server = await createServerProcess({
    ...mailSettings(box.url.replace('//', `//${encodeURIComponent(mailUser.name)}@`)),
    SMTP_PASSWORD: mailUser.password,
    SMTP_TLS: 'required',
    NODE_EXTRA_CA_CERTS: 'tests/fixtures/tls/mail-certificate.pem',
  });
  try {
    await server.start();
    await invite(server, 'authority@people.test');
    await arrived(box, 1);
    expect(box.mails[0]).toMatchObject({ isEncrypted: true, user: mailUser.name });
  } finally {
    await server.remove();
    await box.close();
  }
});
