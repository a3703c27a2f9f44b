// Validates SARIF exports of every fixture with Microsoft's sarif-multitool, also against its rules for GitHub code scanning.
// It installs the tool (104 MB, no dependency of the project) in .data/sarif-multitool, and starts the built server on
// a database of its own: npm run check:sarif
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const version = '5.7.0';
const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, '.data/sarif-multitool');
const binary = join(tools, 'node_modules/.bin/sarif-multitool');
const work = mkdtempSync(join(tmpdir(), 'check-sarif-'));
const admin = { email: 'admin@check.test', password: 'walnut ferry 6204 lagoon tile' };

installTool();
const server = await startServer();
let failures = 0;
try {
  const files = await exportAll();
  // One kind at a time: the tool's npm program takes no list with semicolons.
  for (const [format, rules] of [
    ['sarif', 'Sarif'],
    ['github', 'Sarif'],
    ['github', 'Ghas'],
  ])
    failures += report(format, rules, validate(files[format], rules));
} finally {
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;

function installTool() {
  if (existsSync(binary)) return;
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, 'package.json'), '{"private":true}');
  const args = [
    'install',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `@microsoft/sarif-multitool@${version}`,
  ];
  execFileSync('npm', args, { cwd: tools, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function startServer() {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'dist/main.js')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATA_DIR: join(work, 'data'),
      LOG_LEVEL: 'error',
      RATE_LIMIT_PER_MINUTE: '0',
      ADMIN_EMAIL: admin.email,
      ADMIN_PASSWORD: admin.password,
    },
  });
  process.once('exit', () => child.kill());
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/api/v1/health/ready`)
      .then(({ ok }) => ok)
      .catch(() => false);
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error('The server did not start');
    await sleep(100);
  }
  return Object.assign(child, { url });
}

/** Imports every fixture and exports it in both formats, and the findings of all of them. */
async function exportAll() {
  const call = await signIn();
  const files = { sarif: [], github: [] };
  const save = async (path, format, name) => {
    const answer = await call(path);
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    const file = join(work, `${name}.${format}.sarif`);
    writeFileSync(file, await answer.text());
    files[format].push(file);
  };
  for (const [at, fixture] of fixtures().entries()) {
    const target = encodeURIComponent(fixture);
    const answer = await call(`/api/v1/imports?target=${target}&wait=120`, {
      method: 'POST',
      body: readFileSync(fixture),
    });
    const { executionId, state } = await answer.json();
    if (state !== 'COMPLETED') throw new Error(`${fixture}: ${state}`);
    for (const format of ['sarif', 'github'])
      await save(`/api/v1/executions/${executionId}/export?format=${format}`, format, `fixture-${at}`);
  }
  await save('/api/v1/findings/export?format=sarif', 'sarif', 'findings');
  await save('/api/v1/findings/export?format=github&tool=Trivy', 'github', 'findings');
  return files;
}

function fixtures() {
  const folder = join(root, 'tests/fixtures/reports');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

async function signIn() {
  const answer = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(admin),
  });
  const { accessToken } = await answer.json();
  return (path, init = {}) =>
    fetch(server.url + path, { ...init, headers: { Authorization: `Bearer ${accessToken}` } });
}

/** The results of the validation. */
function validate(files, rules) {
  const output = join(work, 'validation.sarif');
  const args = ['validate', ...files, '--rule-kind', rules, '--output', output, '--log', 'ForceOverwrite'];
  try {
    execFileSync(binary, args, { stdio: 'pipe', maxBuffer: 100e6 });
  } catch (error) {
    // It exits with another code than 0 when it finds something.
    if (!existsSync(output)) throw new Error(`${error.stdout}${error.stderr}`);
  }
  const { runs } = JSON.parse(readFileSync(output, 'utf8').replace(/^\uFEFF/, ''));
  return runs.flatMap(({ results }) => results ?? []);
}

/** Prints what is wrong; the number of errors. */
function report(format, rules, results) {
  const errors = results.filter(({ level }) => level === 'error');
  const counts = new Map();
  for (const { ruleId, level = 'warning' } of results)
    counts.set(`${level} ${ruleId}`, (counts.get(`${level} ${ruleId}`) ?? 0) + 1);
  console.log(`${format} (${rules}): ${errors.length} errors`);
  for (const [name, count] of [...counts].sort()) console.log(`  ${name}: ${count}`);
  for (const { ruleId, message, locations } of errors.slice(0, 20))
    console.log(
      `  ${ruleId} ${JSON.stringify(message)} ${locations?.[0]?.physicalLocation?.artifactLocation?.uri}`,
    );
  return errors.length;
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
