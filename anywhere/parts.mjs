// The parts that environments are made of: PostgreSQL as Debian packages it, PgBouncer, Redis, nginx, HAProxy, other versions of Node.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createInstance, signingKey } from '../faults/kit/instance.mjs';
import { freePort, until } from '../faults/kit/time.mjs';

const env = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin`, LC_ALL: 'C' };
const isRoot = process.getuid?.() === 0;
const idOf = (flag, name) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);
/** PostgreSQL and PgBouncer refuse to run as root. */
const account = () => (isRoot ? { uid: idOf('-u', 'postgres'), gid: idOf('-g', 'postgres') } : {});

/** The folder of the newest PostgreSQL that Debian's packages have installed. */
export function postgresFolder() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => `${root}/${version}/bin`)
    .find((path) => existsSync(`${path}/initdb`));
  return isRoot && Number.isNaN(idOf('-u', 'postgres')) ? undefined : found;
}

/** The first line that a program prints about its version; undefined without it. */
export function versionOf(program, args = [program === 'nginx' ? '-v' : '--version']) {
  const { error, stdout, stderr } = spawnSync(program, args, { env, encoding: 'utf8' });
  return error === undefined ? /\d+\.\d+[\w.+~-]*/.exec(`${stdout}${stderr}`)?.[0] : undefined;
}

/** Runs work with parts, and removes every one afterwards, the last first. */
export async function withParts(work) {
  const closers = [];
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), 'sec-tester-anywhere-'));
    chmodSync(path, 0o755);
    if (isRoot) chownSync(path, account().uid, account().gid);
    closers.push(async () => rmSync(path, { recursive: true, force: true }));
    return path;
  };
  const run = (program, args, options = {}) => {
    const child = spawn(program, args, { env, stdio: 'ignore', ...options });
    child.on('error', () => {});
    const kill = async (signal = 'SIGKILL') => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    };
    closers.push(kill);
    return kill;
  };
  const tools = { closers, folder, run };
  try {
    return await work({
      postgres: (options) => startPostgres(tools, options),
      pgbouncer: (url, settings) => startPgBouncer(tools, url, settings),
      redis: (args) => startRedis(tools, args),
      nginx: (urls) => startNginx(tools, urls),
      haproxy: (urls) => startHaproxy(tools, urls),
      instances: (count, options) => startInstances(tools, count, options),
      node: (version) => installNode(tools, version),
    });
  } finally {
    for (const close of closers.reverse()) await close().catch((error) => console.error(error.message));
  }
}

/** A cluster of Debian's PostgreSQL, trusting everybody on this machine. */
async function startPostgres({ folder, run }, { locale = 'C.UTF-8', copyOf } = {}) {
  const bin = postgresFolder();
  const home = folder();
  const data = join(home, 'data');
  const port = await freePort();
  const must = (program, args) => {
    const { status, stderr } = spawnSync(`${bin}/${program}`, args, {
      env,
      ...account(),
      encoding: 'utf8',
      cwd: '/',
    });
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
  };
  if (copyOf === undefined)
    must('initdb', ['-D', data, '-U', 'owner', '-A', 'trust', '-E', 'UTF8', `--locale=${locale}`, '-N']);
  else
    must('pg_basebackup', [
      '-D',
      data,
      '-R',
      '-X',
      'stream',
      '-c',
      'fast',
      '-d',
      `host=127.0.0.1 port=${copyOf.port} user=owner`,
    ]);
  const options = [
    '-D',
    data,
    '-p',
    String(port),
    '-k',
    home,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'fsync=off',
    '-c',
    'timezone=Asia/Kolkata',
  ];
  const kill = run(`${bin}/postgres`, options, { ...account(), cwd: '/' });
  const urlOf = (name, user = 'owner') => `postgresql://${user}:x@127.0.0.1:${port}/${name}`;
  const sql = async (text, name = 'postgres') => {
    const client = new pg.Client({ connectionString: urlOf(name) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };
  await until(
    () =>
      sql('SELECT 1').then(
        () => true,
        () => false,
      ),
    'PostgreSQL',
    30_000,
    50,
  );
  const [{ server_version: version }] = await sql('SHOW server_version');
  return {
    port,
    home,
    kill,
    sql,
    urlOf,
    version: version.split(' ')[0],
    promote: () => sql('SELECT pg_promote()'),
  };
}

async function startPgBouncer({ folder, run }, url, settings) {
  const { port: server, pathname, username } = new URL(url);
  const name = pathname.slice(1);
  const port = await freePort();
  const file = join(folder(), 'pgbouncer.ini');
  const lines = ['[databases]', `${name} = host=127.0.0.1 port=${server} user=${username}`, '[pgbouncer]'];
  writeFileSync(
    file,
    [
      ...lines,
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'auth_type = any',
      'unix_socket_dir =',
      ...settings,
    ].join('\n'),
  );
  run('pgbouncer', [file], account());
  await until(() => listens(port), 'PgBouncer');
  return `postgresql://${username}:x@127.0.0.1:${port}/${name}`;
}

async function startRedis({ run, folder }, args = []) {
  const port = await freePort();
  const cwd = folder();
  if (args[0] === '--sentinel') {
    writeFileSync(join(cwd, 'sentinel.conf'), `port ${port}\nsentinel monitor main 127.0.0.1 1 1\n`);
    run('redis-server', [join(cwd, 'sentinel.conf'), '--sentinel'], { cwd });
  } else {
    run(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args],
      { cwd },
    );
  }
  await until(() => listens(port), 'Redis');
  const command = (...words) =>
    spawnSync('redis-cli', ['-p', String(port), ...words], { env, encoding: 'utf8' }).stdout;
  return { port, url: `redis://127.0.0.1:${port}`, command };
}

const hostsOf = (urls) => urls.map((url) => new URL(url).host);

/** nginx as docker-nginx.conf sets it up, with addresses in place of Docker's resolver. */
async function startNginx({ folder, run }, urls) {
  const port = await freePort();
  const home = folder();
  const file = join(home, 'nginx.conf');
  writeFileSync(
    file,
    `worker_processes 1; daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log; ${isRoot ? 'user root;' : ''}
    events { worker_connections 256; }
    http { access_log off; client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy;
      fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
      upstream instances { ${hostsOf(urls)
        .map((host) => `server ${host};`)
        .join(' ')} }
      map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
      server { listen 127.0.0.1:${port}; client_max_body_size 10m;
        location / { proxy_pass http://instances; proxy_http_version 1.1; proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade; proxy_buffering off; proxy_read_timeout 1h; } } }`,
  );
  run('nginx', ['-c', file, '-p', home]);
  await until(() => listens(port), 'nginx');
  return `http://127.0.0.1:${port}`;
}

/** HAProxy with the short time-outs of many installations. */
async function startHaproxy({ folder, run }, urls) {
  const port = await freePort();
  const file = join(folder(), 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
  option forwardfor
frontend front
  bind 127.0.0.1:${port}
  default_backend instances
backend instances
  balance roundrobin
  option httpchk GET /api/v1/health/ready
${hostsOf(urls)
  .map((host, index) => `  server s${index} ${host} check inter 500ms`)
  .join('\n')}
`,
  );
  run('haproxy', ['-f', file, '-db']);
  await until(() => listens(port), 'HAProxy');
  return `http://127.0.0.1:${port}`;
}

/** Instances of the build in production mode, on one database and with the same keys. */
async function startInstances({ closers }, count, { databaseUrl, redisUrl, env: more = {}, node }) {
  const keys = [signingKey()];
  const instances = [];
  for (let index = 0; index < count; index += 1) {
    const instance = await createInstance({
      databaseUrl,
      redisUrl,
      keys,
      env: { DATABASE_POOL_MAX: '6', ...more },
      node,
    });
    closers.push(instance.remove);
    await instance.start();
    instances.push(instance);
  }
  return instances;
}

/** Another version of Node, as npm has it. */
function installNode({ folder }, version) {
  const home = folder();
  mkdirSync(join(home, 'node_modules'));
  const name = `node-${process.platform}-${process.arch}@${version}`;
  const { status, stderr } = spawnSync(
    'npm',
    ['install', '--prefix', home, '--no-audit', '--no-fund', name],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`npm cannot install ${name}: ${stderr.slice(0, 300)}`);
  return join(home, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}
