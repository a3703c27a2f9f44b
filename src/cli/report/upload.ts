// Sends a report over REST as a stream: compressed on the way, repeated under one key while the server is out of reach.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { type Failure, failure, isNetworkFault, reasonOf } from '../failure.js';
import { problemOf, version } from '../http.js';
import type { Api } from '../session.js';

/** A report to send: a file, or what a program pipes in, which can be sent once. */
export interface ReportFile {
  name: string;
  /** Bytes; undefined for a pipe. */
  size: number | undefined;
  open: () => Readable;
}

/** The file of a path, or standard input for `-`. @throws Failure when there is no such file */
export async function reportFile(path: string, stdin: Readable): Promise<ReportFile> {
  if (path === '-') return { name: 'standard input', size: undefined, open: () => stdin };
  const found = await stat(path).catch((error: unknown) => {
    throw failure(`${path} cannot be read: ${reasonOf(error)}`, { exitCode: 2 });
  });
  if (!found.isFile()) throw failure(`${path} is no file`, { exitCode: 2 });
  return { name: path, size: found.size, open: () => createReadStream(path) };
}

const maxTries = 4;
const maxWaitSeconds = 60;
/** Longest time until the server has taken the report. */
const timeoutMs = 30 * 60_000;

/**
 * Uploads a report.
 * @param path of the route, with its query
 * @param onSent gets the bytes read of the file so far
 * @returns the body of the answer
 * @throws Failure with the API's error code, or UNREACHABLE
 */
export async function upload(
  api: Api,
  path: string,
  file: ReportFile,
  key: string,
  onSent: (bytes: number) => void,
): Promise<unknown> {
  let refused: string | undefined;
  for (let tries = 1; ; tries += 1) {
    const mayRepeat = file.size !== undefined && tries < maxTries;
    const token = await api.token(refused);
    try {
      const answer = await post(new URL(path, api.server), file, key, token, onSent);
      if (answer.status < 300) return answer.body;
      const problem = problemOf(answer);
      const isBusy =
        [429, 503].includes(answer.status) && (problem.retryAfterSeconds ?? 61) <= maxWaitSeconds;
      if (problem.code === 'TOKEN_EXPIRED' && refused === undefined && mayRepeat) refused = token;
      else if (mayRepeat && isBusy) await sleep((problem.retryAfterSeconds ?? 1) * 1000);
      else throw problem;
    } catch (error) {
      if (!mayRepeat || (error as Partial<Failure>).code !== 'UNREACHABLE') throw error;
      await sleep(250 * 2 ** tries);
    }
  }
}

async function post(url: URL, file: ReportFile, key: string, token: string, onSent: (bytes: number) => void) {
  let sent = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      onSent(sent);
      done(null, chunk);
    },
  });
  const source = file.open();
  const body = new PassThrough();
  source.on('error', (error) => body.destroy(error));
  source
    .pipe(counted)
    .pipe(createGzip({ level: 3 }))
    .pipe(body);
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/octet-stream',
        'Content-Encoding': 'gzip',
        'Idempotency-Key': key,
        'User-Agent': `sec-tester/${version}`,
      },
      body: body as unknown as ReadableStream, // fetch of Node takes its streams, which its type does not say
      duplex: 'half',
      signal: AbortSignal.timeout(timeoutMs),
    } as RequestInit);
    return { status: response.status, headers: response.headers, body: await response.json() };
  } catch (error) {
    if (isNetworkFault(error) || (error as Error).name === 'TimeoutError')
      throw failure(`${url.origin} cannot be reached: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
    throw error;
  } finally {
    if (file.size !== undefined) source.destroy();
  }
}
