// The package as npm would pack it: what the server and the client need to run, and nothing else.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@jest/globals';

let files: string[];
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale']);
  const printed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  files = JSON.parse(printed)[0].files.map(({ path }: { path: string }) => path);
}, 120_000);

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
