// Measures what a request costs as real clients send it, beside the plain request for the same fields: W2 on one server.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signIn, startProduct } from './contestants.mjs';
import { connectTo, measureWorkload } from './measure.mjs';
import { machine, saveFigures } from './report.mjs';
import { addGenerator, withDatabases } from './stand.mjs';
import { count, ms } from './table.mjs';
import { workloads } from './workloads.mjs';

const query = `query Executions ${workloads.W2.query}`;
/** As clients with a normalized cache send it. */
const withTypenames = query.replaceAll(/ \}/g, ' __typename }').replace(/ __typename \}$/, ' }');
const operationName = 'Executions';
const variables = {};
const graphqlAccept = 'application/graphql-response+json';

/**
 * A form of the request: its body, its Accept header and the form that it is compared with.
 * @type {Record<string, { body: object, accept: string, beside?: string, isTrusted?: boolean }>}
 */
const forms = {
  plain: { body: { query, variables }, accept: 'application/json' },
  'graphql-request 7': {
    body: { query, variables, operationName },
    accept: `${graphqlAccept}, application/json`,
    beside: 'plain',
  },
  Relay: { body: { query, variables, operationName }, accept: '*/*', beside: 'plain' },
  'Relay, persisted': {
    body: { documentId: 'executions', variables },
    accept: '*/*',
    beside: 'plain',
    isTrusted: true,
  },
  'plain with __typename': { body: { query: withTypenames, variables }, accept: 'application/json' },
  '@apollo/client 4': {
    body: {
      operationName,
      variables,
      extensions: { clientLibrary: { name: '@apollo/client', version: '4.3.8' } },
      query: withTypenames,
    },
    accept: `${graphqlAccept},application/json;q=0.9`,
    beside: 'plain with __typename',
  },
  'urql 6': {
    body: { operationName, query: withTypenames, variables },
    accept: `${graphqlAccept}, application/graphql+json, application/json, text/event-stream, multipart/mixed`,
    beside: 'plain with __typename',
  },
};

/** @param {{ size: object, options: object, file?: string }} settings */
export async function clients({ size, options, file }) {
  const figures = { at: new Date().toISOString(), machine: machine(), size, options };
  console.log(figures.machine);
  const folder = mkdtempSync(join(tmpdir(), 'bench-clients-'));
  const list = join(folder, 'documents.json');
  writeFileSync(list, JSON.stringify({ executions: query }));
  await withDatabases(async (databases, closers) => {
    const { url } = await databases.filled(size, console.log);
    const client = await connectTo(url);
    closers.push(() => client.end());
    const open = await startProduct(url);
    closers.push(() => open.stop());
    const listed = await startProduct(url, { TRUSTED_DOCUMENTS: list });
    closers.push(() => listed.stop());
    const tokens = new Map([
      [open, await signIn(open.url)],
      [listed, await signIn(listed.url)],
    ]);
    const started = Object.entries(forms).map(([name, { body, accept, isTrusted }]) => {
      const server = isTrusted ? listed : open;
      return {
        name,
        port: server.port,
        pid: server.pid,
        headers: {
          'Content-Type': 'application/json',
          Accept: accept,
          Authorization: `Bearer ${tokens.get(server)}`,
        },
        pathOf: () => '/graphql',
        bodiesOf: () => [JSON.stringify(body)],
      };
    });
    const generator = addGenerator(closers);
    const bench = { client, generator, started, factsOf: () => undefined, options };
    figures.forms = await measureWorkload('W2', bench);
  }).finally(() => rmSync(folder, { recursive: true }));
  print(figures.forms);
  await saveFigures(figures, file);
}

function print(rows) {
  console.log('\n| W2 as sent by | requests/s | p50 | p99 | of the plain request |\n|--|--:|--:|--:|--:|');
  for (const [name, { perSecond, p50, p99 }] of Object.entries(rows)) {
    const { beside } = forms[name];
    const ratio = beside === undefined ? '' : (perSecond / rows[beside].perSecond).toFixed(2);
    console.log(`| ${[name, count(perSecond), ms(p50), ms(p99), ratio].join(' | ')} |`);
  }
}
