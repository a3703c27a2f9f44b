// The answers of the server: the headers that all of them have, and the quickest way to write them.
import { type IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import type { RequestContext } from '../infra/telemetry/request-context.js';

/** What writes the head of an answer; the same since Node's first versions, but documented nowhere. */
type StoreHeader = (this: ServerResponse, statusLine: string, headers: unknown) => void;
const { _storeHeader: storeHeader } = OutgoingMessage.prototype as unknown as { _storeHeader: StoreHeader };

/** A server's answers. Those headers that wait in the context of the request are put on by whoever writes. */
export type Answer = InstanceType<ReturnType<typeof answersWith>>;

/** Makes the kind of answers that have these headers. */
export function answersWith(always: readonly (readonly [string, string])[]) {
  const list = always.flat();
  const lines = always.map(([name, value]) => `${name}: ${value}\r\n`).join('');

  class Answer<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    #lines = lines;

    /** Puts the headers on one by one, for those who write in a way of their own. */
    applyHeaders(store: RequestContext): void {
      const { headers = [] } = store;
      store.headers = [];
      if (this.#lines !== '') this.#put(list);
      this.#lines = '';
      this.#put(headers);
    }

    #put(headers: readonly string[]): void {
      for (let index = 0; index < headers.length; index += 2)
        this.setHeader(headers[index] as string, headers[index + 1] as string);
    }

    /** Writes the head with the headers and more, names and values in turn. */
    begin(status: number, store: RequestContext, more: readonly string[]): void {
      if (!takesLines) this.applyHeaders(store);
      const { headers = [] } = store;
      headers.push(...more);
      this.writeHead(status, headers);
    }

    /** Node checks the names and values of headers anew with every answer; these need it once. */
    _storeHeader(statusLine: string, headers: unknown): void {
      storeHeader.call(this, statusLine + this.#lines, headers);
    }
  }

  /** Whether this version of Node lets lines that were made beforehand into the head. */
  let takesLines = true;
  const trial = new Answer({ method: 'GET' } as IncomingMessage);
  trial.begin(200, {} as RequestContext, []);
  takesLines = (trial as unknown as { _header?: string })._header?.includes(lines) === true;
  return Answer;
}
