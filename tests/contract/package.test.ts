// The package as npm would pack it: what the server and the client need to run, and nothing else.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { admin, createTestDatabase } from '../kit/harness.js';
import { until } from '../kit/live.js';
import { build } from '../kit/programs/build.js';
import { useFolder } from '../kit/use.js';

await build();
const folder = useFolder();
const printed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
});
const [{ filename, files: packed }] = JSON.parse(printed);
const files: string[] = packed.map(({ path }: { path: string }) => path);
execFileSync('tar', ['-xzf', join(folder, filename), '-C', folder]);
symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'package/node_modules'));

it('brings nothing but what runs, the data model, the contracts and the words of the licence', () => {
  const wanted = [
    /^(package\.json|README\.md|LICENSE|\.env\.example|openapi\.yaml|schema\.graphql)$/,
    /^bin\/[a-z-]+\.mjs$/,
    /^dist\/.+\.js(\.map)?$/,
    /^prisma\/(schema\.prisma|migrations\/(migration_lock\.toml|\d{14}_\w+\/migration\.sql))$/,
    /^scripts\/(build|make-secrets)\.mjs$/,
  ];
  expect(files.filter((file) => !wanted.some((pattern) => pattern.test(file)))).toEqual([]);
});

it('brings each compiled source, each migration and each program that package.json names', () => {
  const { bin, scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    /\.ts$/.test(file),
  );
  const migrations = readdirSync('prisma/migrations').filter((name) => /^\d{14}_/.test(name));
  const needed = [
    ...Object.values<string>(bin),
    ...sources.map((file) => `dist/${file.replace(/\.ts$/, '.js')}`),
    ...migrations.map((name) => `prisma/migrations/${name}/migration.sql`),
    // What an operator starts with npm run in an installed package.
    ...['prestart', 'start', 'migrate', 'db:roles', 'audit:verify', 'config:check', 'cli'].flatMap((name) =>
      scripts[name].match(/\b(scripts|dist|bin)\/[\w/-]+\.m?js\b/g),
    ),
  ];
  expect(needed.length).toBeGreaterThan(100);
  expect(needed.filter((file) => !files.includes(file))).toEqual([]);
});

it('starts the server and the client from what is packed, and stops when asked', async () => {
  const program = (name: string) => join(folder, 'package/bin', `${name}.mjs`);
  const inFolder = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const provider = {
    id: 'acme',
    name: 'Acme Login',
    issuer: 'https://login.acme.example',
    clientId: 'sec-tester',
  };
  const clientSecretFile = inFolder('client-secret', 'not-for-the-banner\n');
  const settings = {
    ...{
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      PORT: '0',
      HOST: '127.0.0.1',
      DATA_DIR: join(folder, 'data'),
    },
    ...{ DATABASE_URL: await createTestDatabase(), ARGON2_MEMORY_KIB: '8', ARGON2_ITERATIONS: '1' },
    ...{ ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password, XDG_CONFIG_HOME: folder },
    OIDC_PROVIDERS_FILE: inFolder('providers.json', JSON.stringify([{ ...provider, clientSecretFile }])),
  };
  const child = spawn(process.execPath, [program('sec-tester-api')], { cwd: folder, env: settings });
  try {
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (out += chunk));
    const address = () => /GraphQL {5}(http:\S+)\/graphql/.exec(out)?.[1];
    await until(() => address() !== undefined || child.exitCode !== null, 'the banner');
    expect(out).toContain(`  Sign in at  ${address()}/api/v1/auth/oidc/acme  (Acme Login)\n`);
    const run = (name: string, ...args: string[]) =>
      spawnSync(process.execPath, [program(name), ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...settings, SEC_TESTER_URL: address() ?? out, SEC_TESTER_PASSWORD: admin.password },
      });
    expect(run('sec-tester', 'login', '--email', admin.email)).toMatchObject({ status: 0, stderr: '' });
    // Also beside the running server, whose database it leaves alone.
    expect(run('sec-tester-api', 'migrate', 'status')).toMatchObject({
      ...{ status: 0, stdout: expect.stringContaining('up to date') },
    });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(out).not.toContain('not-for-the-banner');
    expect(run('sec-tester-api', 'migrate', 'status')).toMatchObject({
      ...{ status: 0, stdout: expect.stringContaining('up to date') },
    });
    expect(run('sec-tester-api', 'config-check').stdout).toContain('DATABASE_URL');
    expect(run('sec-tester-api', 'nonsense')).toMatchObject({ status: 2 });
  } finally {
    child.kill('SIGKILL');
  }
});
