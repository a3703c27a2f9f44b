// The load generator, a process of its own: kept connections, each sends a prepared request and waits for its answer.
import { connect } from 'node:net';
import { counter } from './workloads.mjs';

/**
 * @typedef {{
 *   port: number, path: string, headers: Record<string, string>, bodies: string[],
 *   connections: number, seconds: number, firstNumber: number
 * }} Load
 */

process.on('message', (load) => {
  run(load).then(
    (outcome) => process.send(outcome),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));

/** Runs one load; times are in milliseconds, of every request that succeeded; the others are only counted. */
async function run(load) {
  const next = requestsOf(load);
  const times = [];
  const failures = { count: 0, first: undefined };
  const startedAt = performance.now();
  const endsAt = startedAt + load.seconds * 1000;
  await Promise.all(
    Array.from({ length: load.connections }, () => keepAsking(load, next, endsAt, { times, failures })),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const sorted = Float64Array.from(times).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    count: times.length,
    failed: failures.count,
    firstFailure: failures.first,
    perSecond: times.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
  };
}

/** Gives the next request as bytes; written ones carry a number of their own in place of `counter`. */
function requestsOf({ port, path, headers, bodies, firstNumber }) {
  const render = (body) => {
    const lines = [
      `POST ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  };
  let turn = 0;
  if (!bodies[0].includes(counter)) {
    const requests = bodies.map((body) => Buffer.from(render(body)));
    return () => requests[turn++ % requests.length];
  }
  const parts = bodies.map((body) => render(body).split(counter));
  return () => {
    const number = String(firstNumber + turn).padStart(counter.length, '0');
    return Buffer.from(parts[turn++ % parts.length].join(number));
  };
}

/** One connection until the time is over. @throws {Error} when it is lost */
function keepAsking({ port }, next, endsAt, { times, failures }) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received = [];
    let size = 0;
    let wanted = 0;
    let sentAt = 0;
    const ask = () => {
      received = [];
      size = 0;
      wanted = 0;
      sentAt = performance.now();
      socket.write(next());
    };
    socket.on('connect', ask);
    socket.on('error', reject);
    socket.on('close', () =>
      performance.now() < endsAt ? reject(new Error('connection closed')) : resolve(),
    );
    socket.on('data', (chunk) => {
      received.push(chunk);
      size += chunk.length;
      if (wanted === 0) wanted = lengthOf(received.length === 1 ? chunk : Buffer.concat(received));
      // -1: chunked, which ends with an empty chunk.
      const isWhole = wanted === -1 ? endsChunked(received) : wanted > 0 && size >= wanted;
      if (!isWhole) return;
      const now = performance.now();
      if (received[0].latin1Slice(0, 12).endsWith(' 200') && !hasErrors(received)) times.push(now - sentAt);
      else {
        failures.count += 1;
        failures.first ??= Buffer.concat(received).toString('utf8').slice(-1000);
      }
      if (now < endsAt) return ask();
      socket.end();
      resolve();
    });
  });
}

/** Length of the whole answer; 0 while its head is not there, -1 when it is chunked. */
function lengthOf(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return 0;
  const head = bytes.latin1Slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  return length === null ? -1 : end + 4 + Number(length[1]);
}

function endsChunked(received) {
  const last = received.at(-1);
  if (last.length < 5 && received.length > 1) return Buffer.concat(received).latin1Slice(-5) === '0\r\n\r\n';
  return last.latin1Slice(last.length - 5) === '0\r\n\r\n';
}

/** GraphQL's errors stand first or last in an answer. */
function hasErrors(received) {
  const first = received[0];
  const body = first.indexOf('\r\n\r\n') + 4;
  return first.latin1Slice(body, body + 20).includes('"errors"');
}
