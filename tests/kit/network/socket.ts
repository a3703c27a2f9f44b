// A bare WebSocket that speaks graphql-transport-ws by hand, for tests about the protocol itself.
import WebSocket from 'ws';
import { until } from '../live.js';

export interface Message {
  id?: string;
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read messages of any shape
  payload?: any;
}

/** What a socket got, and how it was closed. */
export class Socket {
  readonly messages: Message[] = [];
  readonly ws: WebSocket;
  readonly closed: Promise<number>;
  /** The HTTP status where the upgrade was refused. */
  readonly opened: Promise<'open' | number>;

  constructor(url: string, options: WebSocket.ClientOptions = {}, protocols = ['graphql-transport-ws']) {
    this.ws = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocols, options);
    this.ws.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    this.closed = new Promise((resolve) => this.ws.on('close', resolve));
    this.opened = new Promise((resolve) => {
      this.ws.on('open', () => resolve('open'));
      this.ws.on('error', () => resolve(0));
      this.ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    });
  }

  send(message: Message): void {
    this.ws.send(JSON.stringify(message));
  }

  async init(token: string): Promise<this> {
    await this.opened;
    this.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    await until(() => this.messages.some(({ type }) => type === 'connection_ack'), 'the ack');
    return this;
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  /** Messages of one operation, once it is over. */
  async over(id: string): Promise<Message[]> {
    const own = () => this.messages.filter((message) => message.id === id);
    await until(() => own().some(({ type }) => type === 'complete' || type === 'error'), `the end of ${id}`);
    return own();
  }
}
