#!/usr/bin/env node
// The server and its commands, as an installed package runs them; what they do is in src/main.ts and src/commands.
import './built.mjs';

process.setSourceMapsEnabled(true);

// A command that reads the process's words finds its own.
const [command = 'start'] = process.argv.splice(2, 1);
const words = process.argv.slice(2);
const say = console.log;
const commands = {
  start: () => import('../dist/main.js'),
  migrate: async () => (await import('../dist/admin/migrate.js')).migrate(words, process.env, say),
  'db-roles': async () => (await import('../dist/admin/db-roles.js')).makeRoles(process.env, say),
  'audit-verify': async () =>
    (await import('../dist/admin/audit-verify.js')).verifyAudit(words, process.env, say),
  recount: async () => (await import('../dist/admin/recount.js')).recount(words, process.env, say),
  'config-check': async () => (await import('../dist/admin/config-check.js')).checkConfig(process.env, say),
  'make-secrets': () => import('../scripts/make-secrets.mjs'),
};
if (Object.hasOwn(commands, command)) {
  const code = await commands[command]();
  if (typeof code === 'number') process.exitCode = code;
} else {
  const usage = `Usage: sec-tester-api [${Object.keys(commands).join(' | ')}]`;
  console.error(`${usage}\nSettings come from the environment; the README lists them.`);
  process.exitCode = 2;
}
