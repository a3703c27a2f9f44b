// Fetches small documents from issuers of tokens within bounds of time and size. Redirects are not followed.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { checkedLookup, faultOfUrl } from '../network-addresses.js';

/** A request, as openid-client makes them. */
export interface FetchInit {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** Fetches one document; rejects when it is too large, late or out of reach. */
export type BoundedFetch = (url: string, init?: FetchInit) => Promise<Response>;

/** Longest time from connecting to the end of the answer, in milliseconds. */
export const issuerTimeoutMs = 5000;
const maxBytes = 1_000_000;
/** Requests under way at a time: a slow issuer must not gather all sockets of the process. */
const maxAtOnce = 100;

/**
 * Creates the function.
 * @param isPrivateAllowed whether http and addresses of inner networks are allowed: for issuers from settings, not from admins
 */
export function createBoundedFetch(isPrivateAllowed: boolean): BoundedFetch {
  const options = { keepAlive: true, maxFreeSockets: 8, timeout: issuerTimeoutMs };
  const agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };
  const lookup = isPrivateAllowed ? {} : { lookup: checkedLookup() };
  let underWay = 0;

  const send = (url: string, { method = 'GET', headers = {}, body, signal }: FetchInit) =>
    new Promise<Response>((resolve, reject) => {
      const isSecure = new URL(url).protocol === 'https:';
      const payload = body == null ? undefined : Buffer.from(String(body));
      const timeout = AbortSignal.timeout(issuerTimeoutMs);
      const request = (isSecure ? httpsRequest : httpRequest)(
        url,
        {
          method,
          headers: { ...headers, ...(payload !== undefined && { 'content-length': payload.length }) },
          agent: isSecure ? agents.https : agents.http,
          signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
          ...lookup,
        },
        (answer) => read(answer).then(resolve, reject),
      );
      request.on('error', reject);
      request.end(payload);
    });

  return async (url, init = {}) => {
    const fault = faultOfUrl(url, isPrivateAllowed);
    if (fault !== undefined) throw new Error(`the URL ${fault}`);
    if (underWay >= maxAtOnce) throw new Error('too many requests to issuers are under way');
    underWay += 1;
    try {
      return await send(url, init);
    } finally {
      underWay -= 1;
    }
  };
}

async function read(answer: IncomingMessage): Promise<Response> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxBytes) {
      answer.destroy();
      throw new Error(`the answer is larger than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  const { statusCode: status = 500, headers } = answer;
  const kept = new Headers();
  for (const [name, value] of Object.entries(headers))
    for (const one of [value ?? []].flat()) kept.append(name, one);
  const isEmpty = status === 204 || status === 304;
  return new Response(isEmpty ? null : Buffer.concat(pieces), { status, headers: kept });
}
