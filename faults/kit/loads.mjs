// Loads of requests; each runs until its signal and gives one sample per request. Streams are in streams.mjs.
import { Agent } from 'node:http';
import { call, requests } from './client.mjs';
import { clock, sleep } from './time.mjs';

const sampleOf = (kind, url, at, { status, ms, code, error, headers, body }) => ({
  ...{ kind, url, at, ms, status, code, error },
  retryAfter: headers['retry-after'],
  type: headers['content-type'],
  id: body?.data?.createExecution?.execution.id,
});

/**
 * So many connections, each sending one request after another.
 * @param {{ urls: string[], token?: string, kinds: string[], connections: number, args?: unknown }} options
 */
export async function closed(options, signal, tell) {
  const agent = new Agent({ keepAlive: true, timeout: 30_000, maxSockets: Number.POSITIVE_INFINITY });
  const samples = [];
  let sent = 0;
  const work = async () => {
    while (!signal.aborted) {
      const n = sent;
      sent += 1;
      const { urls, kinds } = options;
      const [kind, url] = [kinds[n % kinds.length], urls[n % urls.length]];
      const at = clock();
      const answer = await call(url, { ...requests[kind](options.token, options.args), agent });
      samples.push(sampleOf(kind, url, at, answer));
      if (answer.status === 0) await sleep(20); // refused: no tight loop
    }
  };
  tell('started');
  await Promise.all(Array.from({ length: options.connections }, work));
  agent.destroy();
  return samples;
}

/**
 * So many requests a second, whether or not those before were answered.
 * @param {{ urls: string[], token?: string, kinds: string[], perSecond: number, args?: unknown }} options
 */
export async function open(options, signal, tell) {
  const agent = new Agent({ keepAlive: true, timeout: 30_000, maxSockets: Number.POSITIVE_INFINITY });
  const samples = [];
  const open = new Set();
  const startedAt = clock();
  tell('started');
  for (let n = 0; !signal.aborted; ) {
    for (; n < ((clock() - startedAt) / 1000) * options.perSecond; n += 1) {
      const { urls, kinds } = options;
      const [kind, url] = [kinds[n % kinds.length], urls[Math.floor(n / kinds.length) % urls.length]];
      const at = clock();
      const sent = call(url, { ...requests[kind](options.token, options.args), agent }).then((answer) => {
        samples.push(sampleOf(kind, url, at, answer));
        open.delete(sent);
      });
      open.add(sent);
    }
    await sleep(4);
  }
  await Promise.all(open);
  agent.destroy();
  return samples;
}
