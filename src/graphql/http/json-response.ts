// The JSON responses of the fast path, by GraphQL over HTTP: negotiates their media type and sends them.
import type { ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { writeHead } from '../../http/response.js';
import type { endInBatch } from '../../http/write-batch.js';
import type { RequestContext } from '../../infra/telemetry/request-context.js';

/** The media types of a response that is no stream (GraphQL over HTTP). */
export type MediaType = 'application/json' | 'application/graphql-response+json';
const contentTypes: Record<MediaType, string> = {
  'application/json': 'application/json; charset=utf-8',
  'application/graphql-response+json': 'application/graphql-response+json; charset=utf-8',
};

/**
 * Negotiates the type of a response.
 * @param accept the Accept header
 * @returns the first kind of JSON that it lists, of any weight; undefined when there is none
 */
export function mediaTypeOf(accept = '*/*'): MediaType | undefined {
  if (accept === '*/*' || accept === 'application/json') return 'application/json';
  for (const range of accept.toLowerCase().replace(/\s/g, '').split(',')) {
    const [type, ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') continue;
    if (type === 'application/graphql-response+json') return type;
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'application/json';
  }
  return undefined;
}

interface HttpExtensions {
  status?: number;
  headers?: Record<string, string>;
  /** Whether GraphQL over HTTP answers it with 200 for application/json. */
  spec?: boolean;
}

/** Ends a response with its body. */
export type EndResponse = typeof endInBatch;

/** Ends a response in this turn of the event loop. */
export const endNow: EndResponse = (response, text) => void response.end(text);

/**
 * Sends a response with the status and the headers that its errors ask for.
 * @param data serialized; undefined for a response without data
 * @param errors as the client sees them, aside from `extensions.http`
 * @param end sends the body
 */
export function sendJson(
  response: ServerResponse,
  store: RequestContext,
  mediaType: MediaType,
  data: string | undefined,
  errors: readonly GraphQLError[],
  end: EndResponse,
): void {
  const headers: Record<string, string> = {};
  let status = 0;
  for (const { extensions } of errors) {
    const http = extensions.http as HttpExtensions | undefined;
    Object.assign(headers, http?.headers);
    if (http?.status !== undefined && !(mediaType === 'application/json' && http.spec === true))
      status = Math.max(status, http.status);
  }
  const listed = errors.length === 0 ? [] : [`"errors":${JSON.stringify(errors.map(withoutHttp))}`];
  const text = `{${[...listed, ...(data === undefined ? [] : [`"data":${data}`])].join(',')}}`;
  const list = ['Content-Type', contentTypes[mediaType]];
  for (const name in headers) list.push(name, headers[name] as string);
  list.push('Content-Length', String(Buffer.byteLength(text)));
  writeHead(response, status === 0 ? 200 : status, store, list);
  end(response, text);
}

function withoutHttp(error: GraphQLError): object {
  const { extensions, ...rest } = error.toJSON();
  const { http: _status, ...shown } = extensions as Record<string, unknown>;
  return Object.keys(shown).length === 0 ? rest : { ...rest, extensions: shown };
}
