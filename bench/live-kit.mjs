// What the measurements of live.mjs share: a server with its subscribers, executions to follow, and the table.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createClient } from './client.mjs';
import { admin, startServer } from './server.mjs';

const rows = [];

/** Prints a figure and keeps it for the table. */
export function note(what, figure, goal = '') {
  rows.push([what, figure, goal]);
  console.log(`${what}: ${figure}`);
}

/** Prints all figures as a table. */
export function printTable() {
  console.log('\n| What | Measured | Goal |\n|--|--|--|');
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

export const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
export const count = (value) => Math.round(value).toLocaleString('en');
/** The value below which this share of a sorted list lies. */
export const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

const options = {
  root: fileURLToPath(new URL('..', import.meta.url)),
  dataDir: fileURLToPath(new URL('.data/live', import.meta.url)),
  databaseUrl: process.env.BENCH_DATABASE_URL,
};

/** A server of its own for each measurement, so that none pays for another's memory. */
export async function withServer(work) {
  const server = await startServer(options);
  const children = [];
  try {
    const client = await createClient(server);
    const token = await signIn(server);
    const subscribers = async (open, program = 'live-clients.mjs') => {
      const child = fork(new URL(program, import.meta.url), { serialization: 'advanced' });
      children.push(child);
      child.send({ open: { url: server.url, token, ...open } });
      await answerOf(child);
      return child;
    };
    await work({ server, client, subscribers });
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    await server.stop();
  }
}

/** A sign-in of its own for the subscribers: signing in with another's token would end that one. */
async function signIn({ url }) {
  const answer = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  });
  return (await answer.json()).accessToken;
}

function answerOf(child) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', () => reject(new Error('a process of subscribers ended')));
  });
}

/** What a process of subscribers has had since it was last asked. */
export async function reportOf(child) {
  child.send({ report: true });
  return answerOf(child);
}

export async function startExecution({ graphql }) {
  const { createExecution } = await graphql(
    'mutation { createExecution(input: { name: "Bench", target: "bench", kind: OTHER }) { execution { id } } }',
  );
  const { id } = createExecution.execution;
  await graphql('mutation($id: ID!) { startExecution(id: $id) { execution { id } } }', { id });
  return id;
}

/** Writes an event, whose number is in its phase. */
export function write({ graphql }, executionId, n) {
  return graphql(
    'mutation($input: ReportProgressInput!) { reportProgress(input: $input) { execution { id } } }',
    { input: { executionId, progress: n % 100, phase: `#${n}` } },
  );
}
