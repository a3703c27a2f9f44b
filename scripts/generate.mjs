// Generates Prisma's client and Pothos' types into src/generated, when the schema has changed since the last time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const stamp = join(root, 'src/generated/.stamp');
const sources = ['prisma/schema.prisma', 'package-lock.json'].map((file) => readFileSync(join(root, file)));
const hash = createHash('sha256').update(Buffer.concat(sources)).digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== hash) {
  const prisma = join(dirname(require.resolve('prisma/package.json')), 'build/index.js');
  const result = spawnSync(process.execPath, [prisma, 'generate'], {
    cwd: root,
    encoding: 'utf8',
    // Generating needs no native engine, and its download fails on closed networks: any existing file will do.
    env: {
      ...process.env,
      PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  });
  if (result.status !== 0) throw new Error(`prisma generate failed:\n${result.stdout}${result.stderr}`);
  writeFileSync(stamp, hash);
}
