// Prisma Studio, the tables in a browser, on the development database. It reads and writes as the owner: for development.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { openDevDatabase } from './dev-database.mjs';

if (process.env.NODE_ENV === 'production') {
  console.error('Not in production: Studio asks nobody who they are.');
  process.exit(2);
}
const require = createRequire(import.meta.url);
const prisma = join(dirname(require.resolve('prisma/package.json')), 'build/index.js');
const database = await openDevDatabase();
console.log(`Database: ${database.where}`);
const studio = spawn(process.execPath, [prisma, 'studio', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    DATABASE_URL: database.url,
    // No engine is needed, no news wanted: it works without a network.
    ...{
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => studio.kill(signal));
const [code] = await once(studio, 'exit');
await database.close();
process.exit(code ?? 0);
