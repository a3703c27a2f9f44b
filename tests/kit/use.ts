// What a test file opens at its top and keeps to its last test: servers, folders, and other things that something has to close.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { startTestServer, type TestServer } from './harness.js';

const closings: (() => unknown)[] = [];

/** Closes something after the last test of the file: what was opened last, first. For the top of a file only. */
export function atEnd(close: () => unknown): void {
  if (closings.length === 0)
    afterAll(async () => {
      for (const close of closings.reverse()) await close();
    });
  closings.push(close);
}

/** A server for all tests of a file. */
export async function useServer(...settings: Parameters<typeof startTestServer>): Promise<TestServer> {
  const server = await startTestServer(...settings);
  atEnd(server.close);
  return server;
}

/** An empty folder for all tests of a file; its path. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-test-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
