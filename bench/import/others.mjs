// What other clients notice while an import or a deletion runs: the rate and p99 of W2, and the longest of single requests.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { workloads } from '../workloads.mjs';

const connections = 16;

/** W2 by 16 connections, alone and while `work` runs. */
export async function measureOthers(server, token, work) {
  const ask = askAs(server, token);
  for (let n = 0; n < 20; n += 1) await ask(createExecution, { name: `Other ${n}` });
  const generator = fork(fileURLToPath(new URL('../load.mjs', import.meta.url)));
  const load = (seconds) =>
    new Promise((resolve) => {
      generator.once('message', resolve);
      generator.send({
        ...{ port: server.port, path: '/graphql', connections, seconds, firstNumber: 0 },
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        bodies: [JSON.stringify({ query: workloads.W2.query, variables: {} })],
      });
    });
  try {
    await load(5);
    const alone = await load(10);
    const importing = work();
    const rounds = [];
    let isOver = false;
    importing.finally(() => {
      isOver = true;
    });
    while (!isOver) rounds.push(await load(5));
    const { seconds } = await importing;
    const mean = (of) => rounds.reduce((sum, round) => sum + of(round), 0) / rounds.length;
    const p99 = Math.max(...rounds.map((round) => round.p99));
    return {
      importSeconds: seconds,
      alonePerSecond: Math.round(alone.perSecond),
      alone99: Math.round(alone.p99),
      rateKept: Number((mean((round) => round.perSecond) / alone.perSecond).toFixed(2)),
      p99Ratio: Number((mean((round) => round.p99) / alone.p99).toFixed(2)),
      worst5SecondsP99: Math.round(p99),
      failedAlone: alone.failed,
      failed: rounds.reduce((sum, round) => sum + round.failed, 0),
      firstFailure: rounds.find(({ firstFailure }) => firstFailure !== undefined)?.firstFailure,
    };
  } finally {
    generator.kill();
  }
}

/**
 * The longest of reads and writes of others while an execution is deleted, in milliseconds, beside the same before.
 * @param isGone whether the last row of the execution is gone
 */
export async function measureWaits(server, token, executionId, isGone) {
  const ask = askAs(server, token);
  const other = (await ask(createExecution, { name: 'Another' })).createExecution.execution;
  await ask('mutation ($id: ID!) { startExecution(id: $id) { execution { id } } }', { id: other.id });
  const found = await ask(
    'query ($filter: FindingFilter) { findings(first: 1, filter: $filter) { nodes { id } } }',
    { filter: { target: 'kept' } },
  );
  const kept = found.findings.nodes[0].id;
  let number = 0;
  const requests = {
    executions: () => ask(workloads.W2.query),
    findings: () =>
      ask(
        '{ findings(first: 20, orderBy: { field: SEVERITY, direction: DESC }) { totalCount nodes { id title } } }',
      ),
    triage: () =>
      ask('mutation ($input: TriageFindingsInput!) { triageFindings(input: $input) { matched } }', {
        input: { ids: [kept], comment: `Note ${number++}` },
      }),
    addResults: () =>
      ask('mutation ($input: AddResultsInput!) { addResults(input: $input) { added } }', {
        input: { executionId: other.id, results: [{ title: `Result ${number++}`, severity: 'LOW' }] },
      }),
  };
  const longest = async (isOver) => {
    const worst = {};
    while (!isOver())
      for (const [name, request] of Object.entries(requests)) {
        const startedAt = performance.now();
        await request();
        worst[name] = Math.round(Math.max(worst[name] ?? 0, performance.now() - startedAt));
      }
    return worst;
  };
  const until = performance.now() + 5000;
  const before = await longest(() => performance.now() > until);
  let isOver = false;
  const startedAt = performance.now();
  const deleting = (async () => {
    await ask('mutation ($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id: executionId });
    const answered = performance.now();
    while (!(await isGone())) await new Promise((resolve) => setTimeout(resolve, 50));
    return answered;
  })().finally(() => {
    isOver = true;
  });
  const meanwhile = await longest(() => isOver);
  return {
    answerMs: Math.round((await deleting) - startedAt),
    seconds: Math.round((performance.now() - startedAt) / 1000),
    longestMsBefore: before,
    longestMsMeanwhile: meanwhile,
  };
}

const createExecution =
  'mutation ($name: String!) { createExecution(input: { name: $name, target: "others", kind: SAST }) { execution { id } } }';

function askAs(server, token) {
  return async (query, variables = {}) => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors !== undefined) throw new Error(errors[0].message);
    return data;
  };
}
