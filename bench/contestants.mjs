// Who is measured: how each is started, asked and read. The peers themselves are in peers/, the questions in workloads.mjs.
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dataDir, root } from './database.mjs';
import * as postgraphile from './peers/postgraphile-dialect.mjs';
import { admin, freePort, startServer } from './server.mjs';
import { walk, workloads } from './workloads.mjs';

/**
 * One that can be measured, once started.
 * @typedef {{
 *   name: string, port: number, pid: number, headers: Record<string, string>,
 *   pathOf: (workload: string) => string,
 *   bodiesOf: (workload: string, facts: import('./workloads.mjs').Facts) => string[],
 *   cursorAt: (client: import('pg').Client, index: number) => Promise<string>,
 *   dataOf: (workload: string, data: object) => object,   its answer in the product's shape
 *   stop: () => Promise<void>
 * }} Contestant
 */

const poolMax = 20;

/** Starters by name, in the order of the table. @type {Record<string, (databaseUrl: string) => Promise<Contestant>>} */
export const contestants = {
  async product(databaseUrl) {
    const server = await startProduct(databaseUrl);
    const headers = { ...jsonHeaders, Authorization: `Bearer ${await signIn(server.url)}` };
    const publicIds = (facts) => ({
      ...facts,
      executionIds: facts.executionIds.map((id) => `exe_${id}`),
      targetIds: facts.targetIds.map((id) => `exe_${id}`),
    });
    return {
      ...speaker('product', server.port, headers),
      bodiesOf: (workload, facts) => bodiesOf(workload, publicIds(facts)),
      pid: server.pid,
      stop: () => server.stop(),
    };
  },

  async limit(databaseUrl) {
    const peer = await startPeer('limit.mjs', databaseUrl);
    return {
      ...speaker('limit', peer.port, jsonHeaders),
      ...peer,
      pathOf: (workload) => `/${workload}`,
      async cursorAt(client, index) {
        const { rows } = await client.query(
          'SELECT id FROM test_executions ORDER BY id DESC OFFSET $1 LIMIT 1',
          [index - 1],
        );
        return rows[0].id;
      },
    };
  },

  async postgraphile(databaseUrl) {
    const peer = await startPeer('postgraphile.mjs', databaseUrl, newerNode());
    return {
      ...speaker('postgraphile', peer.port, jsonHeaders),
      ...peer,
      bodiesOf: postgraphile.bodiesOf,
      dataOf: postgraphile.dataOf,
      cursorAt: (_client, index) => walkTo(peer.port, jsonHeaders, index, postgraphile.walk),
    };
  },

  async mercurius(databaseUrl) {
    const peer = await startPeer('mercurius.mjs', databaseUrl);
    return { ...speaker('mercurius', peer.port, jsonHeaders), ...peer };
  },

  async apollo(databaseUrl) {
    const peer = await startPeer('apollo.mjs', databaseUrl);
    return { ...speaker('apollo', peer.port, jsonHeaders), ...peer };
  },
};

const jsonHeaders = { 'Content-Type': 'application/json', Accept: 'application/json' };

/** The built server on a database, as it runs in production, but without a limit on requests. */
export function startProduct(databaseUrl, env = {}) {
  const sharedEnv = { DATABASE_POOL_MAX: String(poolMax), ACCESS_TOKEN_TTL_SECONDS: '3600' };
  return startServer({
    root,
    dataDir: join(dataDir, 'product', new URL(databaseUrl).pathname),
    databaseUrl,
    env: { ...sharedEnv, ...env },
  });
}

/** @returns {Promise<string>} an access token of the admin */
export async function signIn(url) {
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = await response.json();
  if (accessToken === undefined) throw new Error(`The admin cannot sign in: ${response.status}`);
  return accessToken;
}

/** One that has the product's schema: same documents, same shape. */
function speaker(name, port, headers) {
  return {
    name,
    port,
    headers,
    pathOf: () => '/graphql',
    bodiesOf,
    cursorAt: (_client, index) => walkTo(port, headers, index),
    dataOf: (_workload, data) => data,
  };
}

function bodiesOf(workload, facts) {
  const { query, variables } = workloads[workload];
  return variables(facts).map((values) => JSON.stringify({ query, variables: values }));
}

/** The cursor of the entry at `index`, from 1, found by walking the pages. */
async function walkTo(port, headers, index, document = walk) {
  let after = null;
  for (let left = index; left > 0; ) {
    const first = Math.min(left, 100);
    const body = JSON.stringify({ query: document, variables: { first, after } });
    const { data } = await ask(port, '/graphql', headers, body);
    after = data.executions.pageInfo.endCursor;
    left -= first;
  }
  return after;
}

/** One request; gives the parsed answer. @throws {Error} when it has errors */
export async function ask(port, path, headers, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  const text = await response.text();
  const answer = response.status === 200 ? JSON.parse(text) : { errors: text };
  if (answer.errors !== undefined)
    throw new Error(`${response.status} for ${body.slice(0, 300)}: ${text.slice(0, 1000)}`);
  return answer;
}

/** PostGraphile needs Node 22: this one comes from npm. */
function newerNode() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  return createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`);
}

/** A process of peers/ that tells when it is ready. */
async function startPeer(file, databaseUrl, execPath = process.execPath) {
  const port = await freePort();
  const child = fork(fileURLToPath(new URL(`peers/${file}`, import.meta.url)), {
    execPath,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      ...{ PORT: String(port), DATABASE_URL: databaseUrl, POOL_MAX: String(poolMax) },
    },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve, reject) => {
    child.once('message', resolve);
    ended.then((code) => reject(new Error(`${file} ended with ${code} while starting`)));
  });
  return {
    port,
    pid: child.pid,
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
