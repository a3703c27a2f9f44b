// A redis-server that a fault may kill and start again on the same port; it keeps nothing on the disk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort, until } from './time.mjs';

export async function startRedis() {
  const port = await freePort();
  let child;
  let failure;

  async function start() {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    child = spawn('redis-server', options, { stdio: 'ignore' });
    child.on('error', () => {
      failure = new Error('There is no redis-server on the PATH: install it to run this fault.');
    });
    return until(() => {
      if (failure !== undefined) throw failure;
      return answers(port);
    }, 'Redis answers');
  }

  async function kill() {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  await start();
  return { url: `redis://127.0.0.1:${port}`, start, kill };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (isUp) => {
      resolve(isUp);
      socket.destroy();
    };
    socket.on('data', (data) => end(String(data).startsWith('+PONG')));
    socket.on('error', () => end(false));
  });
}
