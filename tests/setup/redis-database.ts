// Gives each test file an empty Redis database of its worker's own: limits per address would add up over files.
import { Redis } from 'ioredis';

if (process.env.TEST_REDIS_URL) {
  const url = new URL(process.env.TEST_REDIS_URL);
  url.pathname = `/${process.env.JEST_WORKER_ID ?? 1}`;
  process.env.TEST_REDIS_URL = url.href;
  const redis = new Redis(url.href);
  await redis.flushdb();
  await redis.quit();
}
