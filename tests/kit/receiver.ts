// A receiver of webhooks in tests: a real HTTP server that keeps the requests and answers as a test wants.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestServer } from './harness.js';

export interface Received {
  path: string;
  headers: Record<string, string>;
  /** As it was sent. */
  body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read payloads of any shape
  event: any;
}

export interface Receiver {
  url: string;
  requests: Received[];
  /** Answers from now on; 204 at first. */
  answer: (answer: (response: ServerResponse, request: Received) => void) => void;
  close: () => Promise<void>;
}

/** Starts a receiver on a port of its own. */
export async function startReceiver(): Promise<Receiver> {
  const requests: Received[] = [];
  let answer = (response: ServerResponse, _request: Received): void => {
    response.writeHead(204).end();
  };
  const server = createServer(async (incoming: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    const headers = incoming.headers as Record<string, string>;
    const request = { path: incoming.url ?? '', headers, body, event: JSON.parse(body) };
    requests.push(request);
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    requests,
    answer: (next) => {
      answer = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Waits for a condition, looking twenty times a second. */
export async function until<T>(read: () => T | Promise<T>, isIt: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isIt(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Creates a webhook; its id and secret. */
export async function createWebhook(
  server: TestServer,
  token: string,
  input: { url: string; events: string[]; project?: string; leastSeverity?: string },
): Promise<{ id: string; secret: string }> {
  const answer = await server.change('createWebhook', input, 'secret webhook { id }', token);
  const { secret, webhook } = answer.expectData().createWebhook;
  return { id: webhook.id, secret };
}

export interface DeliveryNode {
  id: string;
  event: string;
  state: string;
  attempts: number;
  lastStatus: number | null;
  lastError: string | null;
  nextAttemptAt: string | null;
}

/** The delivery log of a webhook, newest first. */
export async function deliveriesOf(server: TestServer, token: string, id: string): Promise<DeliveryNode[]> {
  const answer = await server.gql(
    `query($id: ID!) { node(id: $id) { ... on Webhook { deliveries(first: 100) { totalCount nodes {
      id event state attempts lastStatus lastError nextAttemptAt
    } } } } }`,
    { id },
    token,
  );
  return answer.expectData().node.deliveries.nodes;
}

/** Imports a SARIF report with one finding for each rule; the execution's id. */
export async function importRules(
  server: TestServer,
  token: string,
  target: string,
  rules: string[],
  project?: string,
): Promise<string> {
  const results = rules.map((ruleId) => ({
    ruleId,
    level: 'error',
    message: { text: `Problem of ${ruleId}` },
    locations: [{ physicalLocation: { artifactLocation: { uri: 'a.js' }, region: { startLine: 1 } } }],
  }));
  const run = { tool: { driver: { name: 'Tool' } }, invocations: [{ executionSuccessful: true }], results };
  const content = JSON.stringify({ version: '2.1.0', runs: [run] });
  const answer = await server.change(
    'importReport',
    { target, content, ...(project !== undefined && { project }) },
    'import { id } execution { id }',
    token,
  );
  const { import: imported, execution } = answer.expectData().importReport;
  const ended = await until(
    async () => (await server.rest('GET', `/api/v1/imports/${imported.id}`, { token })).body,
    ({ state }) => state !== 'RUNNING',
  );
  if (ended.state !== 'COMPLETED') throw new Error(`the import failed: ${ended.errorMessage}`);
  return execution.id;
}
