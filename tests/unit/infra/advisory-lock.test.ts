// Advisory locks of background jobs: a job that holds its own lock for long must not stop another one.
import { expect, test } from '@jest/globals';
import { lockKeys } from '../../../src/infra/postgres/advisory-lock.js';

test('each job has a lock of its own', () => {
  const keys = Object.values(lockKeys);
  expect(keys.length).toBeGreaterThan(1);
  expect(new Set(keys).size).toBe(keys.length);
});
