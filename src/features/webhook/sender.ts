// Sends one signed request of a webhook (Standard Webhooks 1.0) within bounds of time and size. Redirects are not followed.
import { createHmac } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { checkedLookup, faultOfUrl, type ResolveName } from '../../infra/network-addresses.js';

/** A request to send. */
export interface Message {
  url: string;
  /** The signing secret. */
  secret: Buffer;
  /** The same for every attempt. */
  id: string;
  /** JSON. */
  body: string;
  /** Seconds since 1970. */
  timestamp: number;
}

/** The outcome of an attempt: an error, unless it was answered with 2xx. */
export interface Attempt {
  status?: number;
  error?: string;
}

/** Longest time of an attempt from connecting to the end of the answer. */
const timeoutMs = 10_000;
/** Bytes of an answer that are read; then the connection is closed. */
const maxAnswerBytes = 65_536;

/** Sends requests. */
export interface Sender {
  send: (message: Message) => Promise<Attempt>;
  close: () => void;
}

/** The value of the header webhook-signature. */
export function signatureOf({ secret, id, timestamp, body }: Message): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/**
 * Creates a sender. It keeps connections to receivers open between requests.
 * @param isPrivateAllowed whether http and private addresses are allowed
 */
export function createSender(isPrivateAllowed: boolean, resolve?: ResolveName): Sender {
  const options = { keepAlive: true, maxFreeSockets: 8, timeout: timeoutMs };
  const agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };
  const lookup = isPrivateAllowed ? {} : { lookup: checkedLookup(resolve) };

  const start = (message: Message, onAnswer: (answer: IncomingMessage) => void, signal: AbortSignal) => {
    const { url, id, timestamp, body } = message;
    const isSecure = new URL(url).protocol === 'https:';
    const request = isSecure ? httpsRequest : httpRequest;
    const headers = {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'sec-tester-webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatureOf(message),
    };
    const agent = isSecure ? agents.https : agents.http;
    return request(url, { method: 'POST', headers, agent, signal, ...lookup }, onAnswer).end(body);
  };

  return {
    async send(message) {
      const fault = faultOfUrl(message.url, isPrivateAllowed);
      if (fault !== undefined) return { error: `the URL ${fault}` };
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const answer = await new Promise<IncomingMessage>((resolve, reject) => {
          start(message, resolve, signal).on('error', reject);
        });
        const status = answer.statusCode ?? 0;
        await readSome(answer);
        return status >= 200 && status < 300 ? { status } : { status, error: errorOf(status) };
      } catch (error) {
        return { error: signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error) };
      }
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** Reads the answer, so that the connection can be used again; one that is too long closes the connection. */
async function readSome(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxAnswerBytes) break; // leaving the loop destroys the answer
  }
}

function errorOf(status: number): string {
  return status >= 300 && status < 400
    ? `answered ${status}: redirects are not followed`
    : `answered ${status}`;
}

/** Names the fault without the receiver's words. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code ?? message).slice(0, 200);
}
