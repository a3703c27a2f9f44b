// Imports through faults: a server that is killed, a client that goes away, several reports at once, a cancelled execution.
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startTestServer } from '../../kit/harness.js';
import { until } from '../../kit/live.js';
import { createServerProcess } from '../../kit/programs/process.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const token = await server.signIn();

/** A SARIF log with this many results, of which none is like another. */
function sarif(count: number, offset = 0): string {
  const results = Array.from({ length: count }, (_, n) => ({
    ruleId: `R${n % 7}`,
    message: { text: `Problem ${n + offset}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: `src/file${n % 50}.c` },
          region: { startLine: n + 1, snippet: { text: `call_${n + offset}()` } },
        },
      },
    ],
  }));
  return JSON.stringify({ version: '2.1.0', runs: [{ tool: { driver: { name: 'Faulty' } }, results }] });
}

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of any shape
async function call(url: string, path: string, bearer: string, body?: string): Promise<any> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${bearer}` },
    ...(body !== undefined && { body }),
  });
  return response.json();
}

test('a killed server takes its imports up again, and nothing is seen by halves', async () => {
  const process = await createServerProcess();
  try {
    await process.start();
    const accessToken = await process.signIn();
    const begun = await call(process.url, '/imports?target=killed', accessToken, sarif(20_000));
    expect(begun.state).toBe('RUNNING');
    await process.stop('SIGKILL');
    // Half reports: one that a killed server left, one that another server of the same folder is taking in.
    const [left, held] = ['01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000002'].map(
      (id) => join(process.dataDir, 'imports', `${id}.report`),
    ) as [string, string];
    for (const file of [left, held]) writeFileSync(file, sarif(3).slice(0, 300));
    // As half a minute would.
    await process.sql('UPDATE imports SET lease_expires_at = now()');
    const minuteAgo = new Date(Date.now() - 60_000);
    utimesSync(left, minuteAgo, minuteAgo);
    await process.start();
    await until(async () => !existsSync(left), 'the end of the half report');
    expect(existsSync(held)).toBe(true);
    const read = () => call(process.url, `/imports/${begun.id}`, accessToken);
    await until(async () => (await read()).state !== 'RUNNING', 'the end of the import');
    expect(await read()).toMatchObject({
      state: 'COMPLETED',
      read: 20_000,
      added: 20_000,
      newFindings: 20_000,
    });
  } finally {
    await process.remove();
  }
});

test('a client that goes away halfway leaves nothing', async () => {
  const url = new URL(`${server.url}/api/v1/imports?target=gone`);
  const outgoing = request(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Length': 1_000_000 },
  });
  outgoing.on('error', () => {});
  outgoing.write(sarif(100));
  await sleep(100);
  outgoing.destroy();
  await sleep(100);
  const [row] = await server.sql<{ n: number }>(
    `SELECT (SELECT count(*) FROM imports WHERE state <> 'COMPLETED')::int
      + (SELECT count(*) FROM test_executions WHERE target = 'gone')::int AS n`,
  );
  expect(row?.n).toBe(0);
});

test('several reports of one target at once follow each other', async () => {
  const send = (offset: number) => call(server.url, '/imports?target=busy&wait=60', token, sarif(50, offset));
  const receipts = await Promise.all([send(0), send(0), send(0), send(0)]);
  expect(receipts.map(({ state }) => state)).toEqual(Array(4).fill('COMPLETED'));
  expect(receipts.map(({ newFindings }) => newFindings).sort()).toEqual([0, 0, 0, 50]);
});

test('a report in which every result has changed meets its findings, also with working tables full of other imports', async () => {
  const other = '00000000-0000-7000-8000-0000000000aa';
  await server.sql(`
    INSERT INTO staged_matches (import_id, position, finding_id) SELECT '${other}', n, gen_random_uuid() FROM generate_series(1, 5000) AS n`);
  const send = (offset: number, branch: string) =>
    call(server.url, `/imports?target=changed&branch=${branch}&wait=30`, token, sarif(2000, offset));
  expect(await send(0, 'main')).toMatchObject({ state: 'COMPLETED', newFindings: 2000 });
  await server.sql('ANALYZE');
  expect(await send(9000, 'main')).toMatchObject({ state: 'COMPLETED', unchangedFindings: 2000 });
  expect(await send(9000, 'feature')).toMatchObject({ state: 'COMPLETED', unchangedFindings: 2000 });
  await server.sql(`DELETE FROM staged_matches WHERE import_id = '${other}'`);
});

test('reports of two targets at once do not mix', async () => {
  const send = (target: string, count: number) =>
    call(server.url, `/imports?target=${target}&wait=60`, token, sarif(count));
  const [left, right] = await Promise.all([send('left', 30), send('right', 40)]);
  expect([left.newFindings, right.newFindings]).toEqual([30, 40]);
});

test('a report that is too large is refused with its limit, whether or not its length is announced', async () => {
  const small = await startTestServer({ IMPORT_MAX_BYTES: '1000' });
  try {
    const bearer = await small.signIn();
    const url = `${small.url}/api/v1/imports?target=large`;
    const headers = { Authorization: `Bearer ${bearer}` };
    const report = sarif(100);
    const chunked = new ReadableStream({
      start(controller) {
        for (let at = 0; at < report.length; at += 500)
          controller.enqueue(new TextEncoder().encode(report.slice(at, at + 500)));
        controller.close();
      },
    });
    const form = new FormData();
    form.set('report', new Blob([report]));
    const largeForm = new FormData();
    largeForm.set('report', new Blob([report.repeat(300)]));
    for (const options of [
      { body: report },
      { body: chunked, duplex: 'half' },
      { body: form },
      { body: largeForm },
    ]) {
      const response = await fetch(url, { method: 'POST', headers, ...options } as RequestInit);
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        detail: expect.stringContaining('1000 bytes'),
      });
    }
  } finally {
    await small.close();
  }
});

test('a form that breaks off halfway leaves nothing, and its request ends', async () => {
  const outgoing = request(new URL(`${server.url}/api/v1/imports?target=half`), {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'multipart/form-data; boundary=edge',
      'Content-Length': 1_000_000,
    },
  });
  outgoing.on('error', () => {});
  outgoing.write(`--edge\r\nContent-Disposition: form-data; name="report"; filename="r"\r\n\r\n${sarif(50)}`);
  await sleep(100);
  outgoing.destroy();
  const wasLogged = () =>
    server.logs.some(({ route, status }) => route === '/api/v1/imports' && typeof status === 'number');
  await until(async () => wasLogged(), 'the end of the request');
  const [row] = await server.sql<{ n: number }>(
    `SELECT count(*)::int AS n FROM test_executions WHERE target = 'half'`,
  );
  expect(row?.n).toBe(0);
});

test('an import whose server does not come back has failed, and counts nothing as added', async () => {
  const killed = await createServerProcess({ DATABASE_URL: server.databaseUrl });
  try {
    await killed.start();
    const { id, executionId } = await call(
      killed.url,
      '/imports?target=lost',
      await killed.signIn(),
      sarif(20_000),
    );
    const read = async () => {
      const [row] = await server.sql<{ added: number }>('SELECT added FROM imports WHERE id = $1', [
        id.slice(4),
      ]);
      return row?.added ?? 0;
    };
    await until(async () => (await read()) > 0, 'progress of the import');
    await killed.stop('SIGKILL');
    expect(await read()).toBeGreaterThan(0);
    await server.sql(`UPDATE imports SET lease_expires_at = now() - interval '3 minutes' WHERE id = $1`, [
      id.slice(4),
    ]);
    const receipt = () => call(server.url, `/imports/${id}`, token);
    await until(async () => (await receipt()).state !== 'RUNNING', 'the end of the import');
    expect(await receipt()).toMatchObject({ state: 'FAILED', added: 0, newFindings: 0, executionId });
    const left = await server.sql(
      `SELECT findings.id FROM findings JOIN scan_series AS series ON series.id = series_id WHERE target = 'lost'
       UNION ALL SELECT import_id FROM staged_results WHERE import_id = $1`,
      [id.slice(4)],
    );
    expect(left).toEqual([]);
  } finally {
    await killed.remove();
  }
});
