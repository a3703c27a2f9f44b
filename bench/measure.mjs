// Rounds of loads in alternation: each contestant is warmed up, then all take turns, and medians are taken.
import { fork } from 'node:child_process';
import pg from 'pg';
import { addTargets } from './seed.mjs';
import { cpuMs, residentMb } from './server.mjs';
import { workloads } from './workloads.mjs';

const writersPerContestant = 16;

/** A load generator as a child: `run(load)` gives its outcome. */
export function startLoadGenerator(program = new URL('load.mjs', import.meta.url), env = {}) {
  const child = fork(program, { serialization: 'advanced', env: { ...process.env, ...env } });
  return {
    run: (load) =>
      new Promise((resolve, reject) => {
        const onExit = () => reject(new Error('The load generator ended'));
        child.once('exit', onExit);
        child.once('message', (outcome) => {
          child.off('exit', onExit);
          if (outcome.error === undefined) resolve(outcome);
          else reject(new Error(outcome.error));
        });
        child.send(load);
      }),
    stop: () => child.disconnect(),
  };
}

/**
 * What the workloads ask about, for each contestant.
 * @returns {Promise<(contestant: object) => import('./workloads.mjs').Facts>}
 */
export async function gatherFacts(client, started, executions, names) {
  const { rows } = await client.query('SELECT id FROM test_executions ORDER BY id DESC LIMIT 1000');
  const executionIds = rows.filter((_, index) => index % 20 === 0).map(({ id }) => id);
  const pagesBefore = Math.min(499, Math.floor(executions / 40));
  const facts = new Map();
  for (const contestant of started) {
    const after = names.includes('W7') ? await contestant.cursorAt(client, pagesBefore * 20) : undefined;
    const targetIds = names.some((name) => workloads[name].isWriting)
      ? await addTargets(client, writersPerContestant)
      : [];
    facts.set(contestant, { executionIds, targetIds, after });
  }
  return (contestant) => facts.get(contestant);
}

/**
 * Measures one workload.
 * @param {{ client: pg.Client, generator: object, started: object[], factsOf: Function, options: Options }} bench
 * @returns rows by contestant: medians of the rounds
 * @typedef {{ warmUpSeconds: number, seconds: number, rounds: number, connections: number }} Options
 */
export async function measureWorkload(name, { client, generator, started, factsOf, options }) {
  const { seconds, rounds, warmUpSeconds } = options;
  const connections = workloads[name].connections ?? options.connections;
  const run = async (contestant, forSeconds) => {
    const cpuBefore = cpuMs(contestant.pid);
    const outcome = await generator
      .run({
        port: contestant.port,
        path: contestant.pathOf(name),
        headers: contestant.headers,
        bodies: contestant.bodiesOf(name, factsOf(contestant)),
        ...{ connections, seconds: forSeconds, firstNumber: takeNumbers() },
      })
      .catch((error) => {
        throw new Error(`${contestant.name}, ${name}: ${error.message}`);
      });
    outcome.cpuMs = (cpuMs(contestant.pid) - cpuBefore) / (outcome.count + outcome.failed);
    if (outcome.failed > 0)
      console.error(`${contestant.name}, ${name}: ${outcome.failed} failed: ${outcome.firstFailure}`);
    if (workloads[name].isWriting) await emptyTargets(client, factsOf(contestant).targetIds);
    return outcome;
  };
  const outcomes = new Map(started.map((contestant) => [contestant, []]));
  for (const contestant of started) await run(contestant, warmUpSeconds);
  for (let round = 0; round < rounds; round += 1) {
    // Another one begins each time, so that nobody always runs after the same.
    const order = started.map((_, index) => started[(index + round) % started.length]);
    for (const contestant of order) outcomes.get(contestant).push(await run(contestant, seconds));
  }
  return Object.fromEntries(
    started.map((contestant) => [contestant.name, summaryOf(outcomes.get(contestant), contestant)]),
  );
}

function summaryOf(outcomes, { pid }) {
  const medianOf = (key) => median(outcomes.map((outcome) => outcome[key]));
  return {
    perSecond: medianOf('perSecond'),
    rounds: outcomes.map(({ perSecond }) => Math.round(perSecond)),
    failed: outcomes.reduce((sum, { failed }) => sum + failed, 0),
    p50: medianOf('p50'),
    p99: medianOf('p99'),
    cpuMs: medianOf('cpuMs'),
    residentMb: residentMb(pid),
  };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

let numbersTaken = 0;
/** Room for the numbers of one load's requests. */
function takeNumbers() {
  numbersTaken += 1;
  return numbersTaken * 100_000;
}

/** What was written goes again, so that every load finds tables of the same size, and nothing left to tidy. */
async function emptyTargets(client, ids) {
  await client.query('DELETE FROM test_results WHERE execution_id = ANY($1::uuid[])', [ids]);
  await client.query('DELETE FROM execution_events WHERE execution_id = ANY($1::uuid[])', [ids]);
  await client.query(
    `UPDATE test_executions SET info_count = 0, low_count = 0, medium_count = 0, high_count = 0,
    critical_count = 0, last_event_number = 0 WHERE id = ANY($1::uuid[])`,
    [ids],
  );
  await client.query('VACUUM (ANALYZE) test_results, test_executions, execution_events');
  await client.query('CHECKPOINT');
}

/** A connection for what is done between loads. */
export async function connectTo(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  return client;
}
