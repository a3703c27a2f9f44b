// Measures live streams and the runner protocol of the built server and prints a table; what the
// measurements share is in live-kit.mjs, the subscribers in live-clients.mjs and counting-clients.mjs.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, count, ms, note, printTable, reportOf, startExecution, withServer, write } from './live-kit.mjs';
import { readOptions } from './options.mjs';

const usage = `Usage: node bench/live.mjs [options]          (after npm run build; ulimit -n of at least 25,000)

  --subscribers N   of the large fan-out          (10000)
  --executions N    to be claimed by 100 runners  (10000)
  --seconds N       length of the report load     (10)
  --watchers N      streams of either transport that follow each execution of that load (1)
  --only NAMES      latency, rate, fanout, claims, reports, separated by commas   (all)

The database is BENCH_DATABASE_URL, an empty one, or an embedded one in bench/.data/live.
`;
const given = readOptions(usage, {
  subscribers: '10000',
  executions: '10000',
  seconds: '10',
  watchers: '1',
  only: 'latency,rate,fanout,claims,reports',
});

console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model}), Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
);
const wanted = given.only.split(',');
const benches = {
  latency: benchLatency,
  rate: benchRate,
  fanout: benchFanOut,
  claims: benchClaims,
  reports: benchReports,
};
for (const name of wanted) await benches[name]();
printTable();

/** 1,000 subscribers of one execution, 20 events a second. */
async function benchLatency() {
  for (const transport of ['websocket', 'sse']) {
    await withServer(async ({ client, subscribers }) => {
      const id = await startExecution(client);
      const child = await subscribers({ transport, count: 1000, executionIds: [id] });
      for (let n = 0; n < 20; n += 1) await write(client, id, n); // warm-up
      await sleep(1000);
      await reportOf(child);
      for (let n = 100; n < 200; n += 1) {
        await write(client, id, n);
        await sleep(50);
      }
      await sleep(1000);
      const { arrivals } = await reportOf(child);
      const delays = arrivals.flatMap((arrival) => arrival.delays).sort((a, b) => a - b);
      if (delays.length !== 100_000) throw new Error(`${delays.length} of 100,000 events arrived`);
      note(`Event to each of 1,000 subscribers, ${transport}, median`, ms(at(delays, 0.5)));
      note(`Event to each of 1,000 subscribers, ${transport}, 99 %`, ms(at(delays, 0.99)), '< 50 ms');
    });
  }
}

/** Events of one execution as fast as they are taken, to 1,000 subscribers who only count them. */
async function benchRate() {
  for (const transport of ['websocket', 'sse']) {
    await withServer(async ({ client, subscribers }) => {
      const executionId = await startExecution(client);
      const child = await subscribers({ transport, count: 1000, executionId }, 'counting-clients.mjs');
      let written = 0;
      const flood = async (endsAt) => {
        const work = async () => {
          while (performance.now() < endsAt) {
            written += 1;
            await write(client, executionId, written);
          }
        };
        await Promise.all(Array.from({ length: 16 }, work));
      };
      await flood(performance.now() + 3000); // warm-up
      await sleep(2000);
      const before = await reportOf(child);
      const startedAt = performance.timeOrigin + performance.now();
      await flood(performance.now() + Number(given.seconds) * 1000);
      let report = await reportOf(child);
      for (let turn = 0; turn < 20 && report.least < written; turn += 1) {
        await sleep(500);
        report = await reportOf(child);
      }
      if (report.least !== written || report.total !== written * 1000)
        throw new Error(`the least of 1,000 subscribers had ${report.least} of ${written} events`);
      const rate = ((report.total - before.total) / (report.lastAt - startedAt)) * 1000;
      note(`Fan-out to 1,000 subscribers, ${transport}`, `${count(rate)} events/s`, '60,000 events/s');
    });
  }
}

/** Many subscribers in one server process, from two processes; one event to all, five times. */
async function benchFanOut() {
  const total = Number(given.subscribers);
  for (const transport of ['websocket', 'sse']) {
    await withServer(async ({ server, client, subscribers }) => {
      const id = await startExecution(client);
      for (let n = 0; n < 50; n += 1) await write(client, id, n);
      const { execution } = await client.graphql('query($id: ID!) { execution(id: $id) { id } }', { id });
      await subscribers({ transport, count: 100, executionIds: [execution.id] }); // warm-up
      await sleep(2000);
      const before = server.residentMb();
      const openedAt = performance.now();
      const half = { transport, count: total / 2, executionIds: [id] };
      const children = await Promise.all([subscribers(half), subscribers(half)]);
      note(`${count(total)} subscribers by ${transport}: opened in`, ms(performance.now() - openedAt));
      await sleep(12_000); // what opening left behind is collected meanwhile
      await Promise.all(children.map(reportOf));
      const times = [];
      for (let n = 1000; n < 1005; n += 1) {
        const sentAt = performance.timeOrigin + performance.now();
        await write(client, id, n);
        await sleep(3000);
        const arrivals = (await Promise.all(children.map(reportOf))).flatMap((report) => report.arrivals);
        const had = arrivals.reduce((sum, arrival) => sum + arrival.count, 0);
        if (had !== total) throw new Error(`${had} of ${total} had the event within 3 s`);
        times.push(Math.max(...arrivals.map(({ lastAt }) => lastAt)) - sentAt);
      }
      times.sort((a, b) => a - b);
      note(`… one event to all, median of 5`, ms(at(times, 0.5)), '< 1,500 ms');
      note(`… one event to all, longest of 5`, ms(times[4]), '< 1,500 ms');
      const kib = ((server.residentMb() - before) * 1024) / total;
      note('… resident memory per subscriber', `${kib.toFixed(1)} KB`, '≤ 35 KB');
    });
  }
}

/** 100 runners take all executions that wait. */
async function benchClaims() {
  await withServer(async ({ client }) => {
    const total = Number(given.executions);
    const create =
      'mutation { createExecution(input: { name: "Bench", target: "bench", kind: MANUAL }) { execution { id } } }';
    const claim =
      'mutation { claimExecution(input: { kinds: [MANUAL], runner: "bench" }) { execution { id } } }';
    const parallel = (workers, work) => Promise.all(Array.from({ length: workers }, work));
    const drain = async (taken) => {
      for (;;) {
        const { execution } = (await client.graphql(claim)).claimExecution;
        if (execution === null) return;
        taken.push(execution.id);
      }
    };
    await parallel(100, () => drain([])); // what an earlier run left
    const made = new Set();
    let left = total;
    await parallel(50, async () => {
      while (left-- > 0) made.add((await client.graphql(create)).createExecution.execution.id);
    });
    const taken = [];
    const startedAt = performance.now();
    await parallel(100, () => drain(taken));
    const seconds = (performance.now() - startedAt) / 1000;
    await drain(taken);
    const each = new Set(taken);
    if (taken.length !== each.size) throw new Error('an execution was claimed twice');
    const lost = [...made].filter((id) => !each.has(id)).length;
    note(`100 runners claim ${count(total)} executions`, `${count(taken.length / seconds)} claims/s`);
    note('… claimed twice / lost', `${taken.length - each.size} / ${lost}`, '0 / 0');
  });
}

/** 1,000 reports a second over 50 executions, each followed by as many streams of either transport as asked. */
async function benchReports() {
  await withServer(async ({ client, subscribers }) => {
    const ids = [];
    for (let n = 0; n < 50; n += 1) ids.push(await startExecution(client));
    const open = { executionIds: ids, count: 50 * Number(given.watchers), keepsPhases: true };
    const children = await Promise.all([
      subscribers({ ...open, transport: 'websocket' }),
      subscribers({ ...open, transport: 'sse' }),
    ]);
    const perSecond = 1000;
    const numbers = new Map(ids.map((id) => [id, 0]));
    const drive = async (total) => {
      const startedAt = performance.now();
      const writes = [];
      for (let sent = 0; sent < total; ) {
        const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond));
        for (; sent < due; sent += 1) {
          const id = ids[sent % 50];
          numbers.set(id, numbers.get(id) + 1);
          writes.push(write(client, id, numbers.get(id)));
        }
        await sleep(2);
      }
      await Promise.all(writes);
      return (performance.now() - startedAt) / 1000;
    };
    await drive(10 * perSecond); // warm-up
    await sleep(2000);
    await Promise.all(children.map(reportOf));
    const total = perSecond * Number(given.seconds);
    const seconds = await drive(total);
    await sleep(3000);
    const reports = await Promise.all(children.map(reportOf));
    const expected = total / 50;
    const broken = reports
      .flatMap(({ streams }) => streams)
      .filter(({ phases }) => phases.length !== expected || new Set(phases).size !== expected).length;
    const delays = reports
      .flatMap(({ arrivals }) => arrivals.flatMap((arrival) => arrival.delays))
      .sort((a, b) => a - b);
    note('Progress reports over 50 executions', `${count(total / seconds)} reports/s`, '1,000 reports/s');
    note(`… of ${100 * Number(given.watchers)} streams with a gap or a double`, String(broken), '0');
    note('… event to subscriber, median', ms(at(delays, 0.5)));
    note('… event to subscriber, 99 %', ms(at(delays, 0.99)));
  });
}
