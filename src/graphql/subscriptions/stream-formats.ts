// The formats of subscriptions over HTTP, and which of them a client accepts. http-stream.ts writes them.
import type { ExecutionResult } from 'graphql';

/** Forms of answers in a response. */
export interface StreamFormat {
  name: string;
  contentType: string;
  /** The first bytes: they bring the head through proxies. */
  open: string;
  /** Keeps the connection open; clients ignore it. */
  ping: string;
  encode: (answer: ExecutionResult) => string;
  end: string;
}

/** Server-Sent Events, as GraphQL over SSE has them in its distinct connections mode. */
export const eventStream: StreamFormat = {
  name: 'event',
  contentType: 'text/event-stream',
  open: ':\n\n',
  ping: ':\n\n',
  encode: (answer) => `event: next\ndata: ${JSON.stringify(answer)}\n\n`,
  end: 'event: complete\ndata:\n\n',
};

const boundary = '\r\n--graphql';
const part = (json: string) => `\r\nContent-Type: application/json\r\n\r\n${json}${boundary}`;

/**
 * Multipart subscriptions, as Apollo Client requests them: https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
 * A part counts once the next boundary is there, so each one brings it along.
 */
export const multipart: StreamFormat = {
  name: 'part',
  contentType: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
  open: boundary + part('{}'),
  ping: part('{}'),
  encode: (answer) => part(JSON.stringify({ payload: answer })),
  end: '--\r\n',
};

/**
 * The format for a client that accepts these media types; undefined when there is none.
 * @param isEventStreamAccepted as the server has negotiated it
 */
export function formatFor(
  accept: string | undefined,
  isEventStreamAccepted: boolean,
): StreamFormat | undefined {
  const isMultipartAsked = (accept ?? '').split(',').some(isMultipart);
  const isEventStreamAsked = /text\/event-stream/i.test(accept ?? '');
  if (isMultipartAsked && !isEventStreamAsked) return multipart;
  return isEventStreamAccepted ? eventStream : undefined;
}

function isMultipart(range: string): boolean {
  const [type = '', ...parameters] = range
    .toLowerCase()
    .split(';')
    .map((text) => text.replace(/[\s"']/g, ''));
  const isRefused = parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter));
  return type === 'multipart/mixed' && parameters.includes('subscriptionspec=1.0') && !isRefused;
}
