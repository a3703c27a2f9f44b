#!/usr/bin/env bash
# node:cluster of Node.js 20.20 (the installed one is used): 16 clients, each request on a connection of its own, to two workers of an
# HTTP server; now and then a worker is killed (SIGKILL), as the kernel does when memory runs out, and another one is forked.
# One would expect: each request is answered, or its connection is reset, so that the client knows.
# Seen: with the default policy (SCHED_RR), a connection that the primary is handing over at that moment is neither reset nor given to
# the other worker. The primary keeps it open, and the client waits until its own time-out. With SCHED_NONE none is silent.
# Exits with 1 when it behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/cluster.mjs" <<'JS'
import cluster from 'node:cluster';
import http from 'node:http';

const policy = process.env.POLICY;
cluster.schedulingPolicy = policy === 'SCHED_RR' ? cluster.SCHED_RR : cluster.SCHED_NONE;
const port = policy === 'SCHED_RR' ? 18771 : 18772;
if (cluster.isPrimary) {
  const fork = () => cluster.fork().once('exit', fork);
  let starting = 2;
  const serving = new Promise((done) => cluster.on('listening', () => (--starting === 0 ? done() : undefined)));
  fork();
  fork();
  await serving;
  const outcomes = { answered: 0, reset: 0, silent: 0 };
  const endsAt = Date.now() + 8000;
  const client = async () => { while (Date.now() < endsAt) outcomes[await ask()] += 1; };
  const killer = setInterval(() => Object.values(cluster.workers)[0]?.process.kill('SIGKILL'), 500);
  await Promise.all(Array.from({ length: 16 }, client));
  clearInterval(killer);
  console.error(policy, outcomes);
  console.log(`${policy}: ${outcomes.silent > 0 ? 'some' : 'no'} requests were never answered and never reset`);
  process.exit(0);
} else http.createServer((_, response) => response.end('ok')).listen(port, '127.0.0.1');

function ask() {
  return new Promise((done) => {
    const request = http.get({ port, host: '127.0.0.1', agent: false });
    const timer = setTimeout(() => { done('silent'); request.destroy(); }, 4000);
    request.on('response', (response) => response.resume().on('end', () => done('answered')));
    request.on('error', () => {}).on('close', () => { clearTimeout(timer); done('reset'); });
  });
}
JS
for policy in SCHED_RR SCHED_NONE; do POLICY=$policy node "$folder/cluster.mjs"; done | tee "$folder/seen.txt"
diff "$folder/seen.txt" - <<'SEEN'
SCHED_RR: some requests were never answered and never reset
SCHED_NONE: no requests were never answered and never reset
SEEN
