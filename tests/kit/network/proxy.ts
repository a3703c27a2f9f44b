// A reverse proxy that serves a server under /sec: nginx where it is on the PATH, else a small one of Node that does the same.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

export interface SubPathProxy {
  /** Where the server's root is, without a slash at the end: http://127.0.0.1:12345/sec */
  url: string;
  close: () => Promise<void>;
}

const hasNginx = spawnSync('nginx', ['-v']).error === undefined;

/** Starts the proxy in front of a server; it takes /sec away, as `proxy_pass http://server/;` does. */
export function startProxy(serverUrl: string): Promise<SubPathProxy> {
  return hasNginx ? startNginx(serverUrl) : startNodeProxy(serverUrl);
}

async function startNginx(serverUrl: string): Promise<SubPathProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${folder}/pid;
    error_log ${folder}/error.log; events {}
    http {
      access_log off; gzip on; gzip_types *; gzip_min_length 1; ${temporary}
      server { listen 127.0.0.1:${port}; location /sec/ { proxy_pass ${serverUrl}/; } }
    }`,
  );
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'inherit' });
  while (!(await listens(port))) {
    if (nginx.exitCode !== null) throw new Error(`nginx ended with ${nginx.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url: `http://127.0.0.1:${port}/sec`,
    close: async () => {
      nginx.kill('SIGTERM');
      await once(nginx, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function startNodeProxy(serverUrl: string): Promise<SubPathProxy> {
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url?.startsWith('/sec/')) {
      outgoing.writeHead(404).end();
      return;
    }
    const headers = { ...incoming.headers, connection: 'close' };
    const forwarded = request(serverUrl + incoming.url.slice('/sec'.length), {
      ...{ method: incoming.method, headers },
    });
    forwarded.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}/sec`,
    close: async () => {
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
