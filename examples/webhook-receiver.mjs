// Receives webhooks of a SEC-TESTER server, verifies them, and passes them on as messages of Slack, Teams or mail.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { mailOf, slackOf, teamsOf } from './lib/webhook-messages.mjs';

const usage = `Receives webhooks and passes them on; answers 204 when the message was taken, so that the server repeats others.

Usage: WEBHOOK_SECRET=whsec_… PORT=8080 [SLACK_URL=…] [TEAMS_URL=…] [MAIL_URL=… MAIL_TO=…] node examples/webhook-receiver.mjs

  SLACK_URL   an incoming webhook of Slack
  TEAMS_URL   a workflow of Teams that starts with "When a Teams webhook request is received"
  MAIL_URL    a service that sends a message in RFC 822 which is POSTed to it; MAIL_TO is its recipient`;

const maxBodyBytes = 1_000_000;
const maxSeen = 10_000;

/**
 * Makes the handler of requests.
 * @param {{ secret: string, slackUrl?: string, teamsUrl?: string, mailUrl?: string, mailTo?: string }} options
 */
export function createReceiver({ secret, slackUrl, teamsUrl, mailUrl, mailTo = 'security@example.com' }) {
  const verifier = new Webhook(secret);
  // An event may arrive more than once. Keep the ids in a database where more than one process receives.
  const seen = new Set();
  const post = async (url, type, body) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
      signal: AbortSignal.timeout(5000),
    });
    if (!answer.ok) throw new Error(`${new URL(url).host} answered ${answer.status}`);
  };
  const passOn = async (event) => {
    if (slackUrl !== undefined) await post(slackUrl, 'application/json', JSON.stringify(slackOf(event)));
    if (teamsUrl !== undefined) await post(teamsUrl, 'application/json', JSON.stringify(teamsOf(event)));
    if (mailUrl !== undefined) await post(mailUrl, 'message/rfc822', mailOf(event, mailTo));
  };

  return async (request, response) => {
    const body = await readBody(request);
    if (body === undefined) return response.writeHead(413, { connection: 'close' }).end();
    let event;
    try {
      event = verifier.verify(body, request.headers);
    } catch {
      return response.writeHead(401).end();
    }
    const id = request.headers['webhook-id'];
    try {
      if (!seen.has(id)) await passOn(event);
    } catch (error) {
      console.error(`${event.type} ${id}: ${error.message}`);
      return response.writeHead(502).end();
    }
    seen.add(id);
    if (seen.size > maxSeen) seen.delete(seen.values().next().value);
    return response.writeHead(204).end();
  };
}

async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { WEBHOOK_SECRET: secret, PORT = '8080', SLACK_URL, TEAMS_URL, MAIL_URL, MAIL_TO } = process.env;
  if (secret === undefined) {
    console.error(usage);
    process.exitCode = 2;
  } else {
    const handle = createReceiver({
      secret,
      slackUrl: SLACK_URL,
      teamsUrl: TEAMS_URL,
      mailUrl: MAIL_URL,
      mailTo: MAIL_TO,
    });
    const server = createServer((request, response) => {
      handle(request, response).catch(() => response.destroy());
    });
    server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}`));
    process.once('SIGTERM', () => server.close());
  }
}
