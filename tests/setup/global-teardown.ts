// After all tests: stops what the set-up started and removes its files.
import { rmSync } from 'node:fs';
import type { TestInfra } from './global-setup.js';

export default async function tearDown(): Promise<void> {
  const { postgres, redis } = (globalThis as unknown as { testInfra: TestInfra }).testInfra;
  redis?.kill('SIGKILL');
  await postgres.stop();
  rmSync(process.env.TEST_DATA_DIR as string, { recursive: true, force: true });
}
