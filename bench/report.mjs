// What surrounds the figures: the machine they are of, and the file they are kept in.
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { dataDir } from './database.mjs';

/** One line about the machine. */
export function machine() {
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${cpus()[0]?.model}), ${memoryGb} GB, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`;
}

/** Keeps figures as JSON. */
export async function saveFigures(figures, file = join(dataDir, 'last.json')) {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(figures, null, 2)}\n`);
}
