// Measures how long the product takes to be ready: on an empty folder, with PostgreSQL made there, and again afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './database.mjs';
import { median } from './measure.mjs';
import { machine } from './report.mjs';
import { startServer } from './server.mjs';
import { ms } from './table.mjs';

/** @param {{ options: { rounds: number } }} settings */
export async function startup({ options }) {
  console.log(machine());
  const cold = [];
  const second = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const dataDir = await mkdtemp(join(tmpdir(), 'sec-tester-bench-'));
    try {
      for (const times of [cold, second]) {
        const server = await startServer({ root, dataDir, databaseUrl: undefined });
        times.push(server.readyMs);
        await server.stop();
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  }
  console.log('\n| Start, with the embedded PostgreSQL | median | longest |\n|--|--:|--:|');
  console.log(`| first, on an empty folder | ${ms(median(cold))} | ${ms(Math.max(...cold))} |`);
  console.log(`| second | ${ms(median(second))} | ${ms(Math.max(...second))} |`);
}
