// Follows an execution live: a progress bar until it ends, through restarts of the server and expired tokens.
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes, Failure, plain, readOptions, reasonOf, run, signIn } from './client.mjs';

const usage = `Follows an execution live until it ends; exits with 0 when it completed and with 1 when it did not.

Usage: node examples/watch.mjs [options] EXECUTION_ID

Options:`;

const subscription = `subscription Watch($id: ID!, $after: ID) {
  executionEvents(executionId: $id, after: $after) {
    id type
    execution { name status progress phase errorMessage severityCounts { critical high medium low info total } }
  }
}`;
const lastTypes = ['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'];
const patienceMs = 60_000;

await run(async () => {
  const options = readOptions(usage);
  const api = await signIn(options);
  try {
    const { type, execution } = await followToEnd(api, options.argument);
    const { total, ...counts } = execution.severityCounts;
    const parts = Object.entries(counts).map(([severity, count]) => `${count} ${severity}`);
    console.log(`${plain(execution.name)}: ${plain(type)}, ${total} findings (${parts.join(', ')})`);
    if (execution.errorMessage !== null) console.error(plain(execution.errorMessage));
    return type === 'COMPLETED' ? exitCodes.done : exitCodes.failed;
  } finally {
    await api.signOut();
  }
});

/**
 * Follows to the last event; a stream that breaks is taken up again behind the last event seen.
 * @param {import('./client.mjs').Api} api @param {string} id
 */
async function followToEnd(api, id) {
  let after;
  let lostAt = 0;
  for (;;) {
    try {
      for await (const { data, errors } of answersOf(await api.open(subscription, { id, after }))) {
        if (errors !== undefined) throw failureOf(errors);
        const event = data.executionEvents;
        after = event.id;
        lostAt = 0;
        show(event);
        if (lastTypes.includes(event.type)) return event;
      }
      throw new Failure('The stream ended early', { code: 'UNAVAILABLE' });
    } catch (error) {
      lostAt ||= Date.now();
      if (!mayPass(error) || Date.now() - lostAt > patienceMs) throw error;
      if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
      console.log(`Connection lost (${plain(reasonOf(error))}): trying again`);
      await sleep(500);
      if (/** @type {any} */ (error).code === 'TOKEN_EXPIRED') await api.signInAgain();
    }
  }
}

/** What comes over a stream of server-sent events. @param {Response} response */
async function* answersOf(response) {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const { errors } = await response.json();
    throw failureOf(errors);
  }
  let rest = '';
  const text = response.body?.pipeThrough(new TextDecoderStream()) ?? [];
  for await (const chunk of text) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice('data: '.length));
  }
}

/** @param {any[]} errors */
function failureOf([error]) {
  const { code } = error.extensions ?? {};
  return new Failure(`${code}: ${error.message}`, { code });
}

/** Whether trying again may help: the network, a restart, an old token. @param {any} error */
function mayPass(error) {
  if (!(error instanceof Failure)) return error instanceof TypeError || error?.name === 'SyntaxError';
  return ['UNAVAILABLE', 'UNREACHABLE', 'RATE_LIMITED', 'TOKEN_EXPIRED'].includes(error.code ?? '');
}

/** A bar on a terminal, lines elsewhere. @param {any} event */
function show({ type, execution: { progress, phase, severityCounts } }) {
  const width = 30;
  const filled = Math.round((progress / 100) * width);
  const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
  const line = `${bar} ${String(progress).padStart(3)} %  ${plain(type)}  ${severityCounts.total} findings  ${plain(phase ?? '')}`;
  if (!process.stdout.isTTY) console.log(line.trimEnd());
  else process.stdout.write(`\r\x1b[K${line}${lastTypes.includes(type) ? '\n' : ''}`);
}
