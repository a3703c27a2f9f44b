// Builds src into dist. With --if-stale: only when a source is newer than the last build.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const stamp = join(root, 'dist/.built');
const inputs = ['prisma/schema.prisma', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map(
  (file) => join(root, file),
);
const sources = () =>
  readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('generated'))
    .map((entry) => join(entry.parentPath, entry.name));
const isFresh = () =>
  existsSync(stamp) &&
  [...inputs, ...sources()].every((file) => statSync(file).mtimeMs <= statSync(stamp).mtimeMs);

// An installed package has no sources: what is in dist is what there is.
const isInstalled = !existsSync(join(root, 'src'));
if (!isInstalled && !(process.argv.includes('--if-stale') && isFresh())) {
  process.stderr.write('Building the server…\n');
  await import('./generate.mjs');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  writeFileSync(stamp, '');
}
