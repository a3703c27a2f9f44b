// The logger and the request it reads from: what a line holds, what it never holds, and where it goes.
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  closeLogger,
  createLogger,
  type Logger,
  type LoggerOptions,
} from '../../../src/infra/logging/logger.js';
import {
  currentRequest,
  isValidCorrelationId,
  newCorrelationId,
  type RequestContext,
  requestContext,
  runInRequest,
} from '../../../src/infra/telemetry/request-context.js';
import { until } from '../../kit/live.js';
import { build } from '../../kit/programs/build.js';

const folder = mkdtempSync(join(tmpdir(), 'logger-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Line = Record<string, unknown>;
type Probe = { logger: Logger; text: () => string; lines: () => Line[]; line: () => Line };

function probe(options: Partial<LoggerOptions> = {}): Probe {
  const chunks: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const logger = createLogger({
    level: 'info',
    environment: 'test',
    keep: 7,
    maxSizeMb: 50,
    destination,
    ...options,
  });
  const text = () => chunks.join('');
  const lines = () =>
    text()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { logger, text, lines, line: () => lines().at(-1) ?? {} };
}

const request = (more: Partial<RequestContext> = {}): RequestContext => ({
  correlationId: 'c-1',
  ip: null,
  userAgent: null,
  dbQueries: 0,
  dbMs: 0,
  ...more,
});

describe('a line', () => {
  it('is one JSON object with level, time in UTC, service and message, and nothing else', () => {
    const { logger, text, line } = probe();
    logger.info({ durationMs: 1.5 }, 'done');
    expect(text()).toMatch(/^\{.*\}\n$/);
    expect(line()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: 'sec-tester-api',
      durationMs: 1.5,
      msg: 'done',
    });
  });

  it('below the level is not written, and silent writes nothing', () => {
    const warn = probe({ level: 'warn' });
    warn.logger.info('no');
    warn.logger.warn('yes');
    expect(warn.lines().map(({ msg }) => msg)).toEqual(['yes']);
    const silent = probe({ level: 'silent' });
    silent.logger.fatal('no');
    expect(silent.text()).toBe('');
  });

  it('of a request carries its correlation id, user and session, and no others', () => {
    const { logger, lines } = probe();
    runInRequest(request({ userId: 'u-1', sessionId: 's-1', ip: '::1' }), () => logger.info('in'));
    runInRequest(request(), () => logger.info('anonymous'));
    logger.info('out');
    const [inside, anonymous, outside] = lines();
    expect(inside).toMatchObject({ correlationId: 'c-1', userId: 'u-1', sessionId: 's-1' });
    expect(inside).not.toHaveProperty('ip');
    expect(anonymous).toHaveProperty('correlationId', 'c-1');
    expect(anonymous).not.toHaveProperty('userId');
    expect(outside).not.toHaveProperty('correlationId');
  });

  it('cannot be broken or forged by what is logged', () => {
    const { logger, text, line } = probe();
    const nasty = 'a\r\n{"level":"fatal"}\u0000\u001b[2J\u007f\u0085\u009b2J\u2028\u2029\u202eb';
    logger.info({ [nasty]: nasty }, nasty);
    expect(text()).toMatch(/^[\x20-\x7e]+\n$/);
    expect(line()).toMatchObject({ [nasty]: nasty, msg: nasty });
  });
});

describe('secrets', () => {
  const secret = 'hunter2';

  it.each([
    'authorization',
    'Cookie',
    'password',
    'currentPassword',
    'newPassword',
    'accessToken',
    'refreshToken',
    'token',
    'secret',
    'code',
    'passwordHash',
  ])('%s is redacted at the top and deeper, in lists and in bound fields', (name) => {
    const { logger, text, line } = probe();
    const original = { [name]: secret, a: { [name]: secret, b: [{ [name]: [secret] }, 1] }, kept: 'x' };
    logger
      .child({ c: { [name]: secret } })
      .child({ [name]: secret })
      .info(original);
    expect(text()).not.toContain(secret);
    expect(line()).toMatchObject({ [name]: '[Redacted]', a: { b: [{}, 1] }, kept: 'x' });
    expect(original.a).toHaveProperty(name, secret);
  });

  it('headers of a request are redacted, the harmless ones are kept', () => {
    const { logger, line } = probe();
    logger.info({ req: { headers: { authorization: `Bearer ${secret}`, host: 'h' } } });
    expect(line()).toMatchObject({ req: { headers: { authorization: '[Redacted]', host: 'h' } } });
  });

  it('absent ones stay absent, so that one sees they were', () => {
    const { logger, line } = probe();
    logger.info({ token: null, password: undefined });
    expect(line()).toHaveProperty('token', null);
    expect(line()).not.toHaveProperty('password');
  });

  it('do not hide below the depth that is written', () => {
    const { logger, text } = probe();
    logger.info({ a: { b: { c: { d: { e: { f: { password: secret } } } } } } });
    expect(text()).not.toContain(secret);
    expect(text()).toContain('"f":"[Deeper]"');
  });
});

describe('values of all kinds', () => {
  it('dates and other values that know their JSON are written as such', () => {
    const { logger, line } = probe();
    logger.info({ at: new Date(0), list: [1, 'a', null] });
    expect(line()).toMatchObject({ at: '1970-01-01T00:00:00.000Z', list: [1, 'a', null] });
  });

  it('a circle or a field that throws does not stop the line', () => {
    const { logger, lines } = probe();
    const circle: Line = { name: 'c' };
    circle.self = circle;
    logger.info({ circle }, 'one');
    const bad = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    logger.info({ bad }, 'two');
    expect(lines().map(({ msg }) => msg)).toEqual(['one', 'two']);
    expect(lines()[1]).toHaveProperty('unreadable', true);
  });
});

describe('errors', () => {
  it('are written with type, stack, code and the chain of causes, wherever they stand', () => {
    const { logger, lines } = probe();
    const root = Object.assign(new TypeError('root'), {
      code: 'ECONNREFUSED',
      password: 'hunter2',
      port: 5432,
    });
    const error = new Error('outer', { cause: new Error('middle', { cause: root }) });
    logger.error(error);
    logger.error({ err: error }, 'told');
    logger.error({ reason: error, list: [root] });
    const [bare, told, elsewhere] = lines();
    const chain = {
      type: 'Error',
      message: 'outer',
      stack: expect.stringContaining('logger.test'),
      cause: {
        message: 'middle',
        cause: {
          type: 'TypeError',
          message: 'root',
          code: 'ECONNREFUSED',
          password: '[Redacted]',
          port: 5432,
        },
      },
    };
    expect(bare).toMatchObject({ level: 'error', msg: 'outer', err: chain });
    expect(told).toMatchObject({ msg: 'told', err: chain });
    expect(elsewhere).toMatchObject({ reason: chain, list: [{ type: 'TypeError' }] });
  });

  it('gathered in one are all written', () => {
    const { logger, line } = probe();
    logger.error(new AggregateError([new Error('a'), new Error('b')], 'both'));
    expect(line()).toMatchObject({ err: { message: 'both', errors: [{ message: 'a' }, { message: 'b' }] } });
  });

  it('that cause themselves, or have no name of a class, end somewhere', () => {
    const { logger, line } = probe();
    const error = new Error('self');
    error.cause = error;
    logger.error(error);
    expect(line()).toMatchObject({ err: { message: 'self', cause: { cause: { message: 'self' } } } });
    logger.error(Object.assign(new Error('plain'), { constructor: undefined, name: 'Odd' }));
    expect(line()).toMatchObject({ err: { type: 'Odd' } });
  });
});

describe('a terminal in development', () => {
  it('gets readable text whose control characters are shown, not obeyed', () => {
    const { logger, text } = probe({ environment: 'development', isTerminal: true });
    logger.info({ a: 'x\u001b[2J\r\u009b', b: 'tab\there' }, 'hello \u001b[31m \\u001b');
    expect(text()).toContain('INFO: hello \\u001b[31m \\u001b');
    expect(text()).toContain('tab\\there');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
    expect(text()).not.toMatch(/[\u001b\u009b\r]/);
  });

  it('elsewhere, lines stay JSON', () => {
    const { logger, line } = probe({ environment: 'production', isTerminal: true });
    logger.info('hello');
    expect(line()).toHaveProperty('msg', 'hello');
  });
});

describe('stdout', () => {
  it('is where lines go by default, and closing waits for it without ending it', async () => {
    const silent = createLogger({ level: 'silent', environment: 'production', keep: 1, maxSizeMb: 1 });
    await closeLogger(silent);
    await closeLogger(silent);
    expect(process.stdout.writable).toBe(true);
  });

  it('closing a logger that was not made here does nothing', async () => {
    await expect(closeLogger(probe().logger.child({}))).resolves.toBeUndefined();
  });
});

describe('the log file', () => {
  const filesOf = (name: string) =>
    readdirSync(join(folder, name)).map((file) => ({
      file,
      text: readFileSync(join(folder, name, file), 'utf8'),
    }));

  it('gets every line stdout gets, in a folder it makes, and is complete when the logger is closed', async () => {
    const { logger, text } = probe({ file: join(folder, 'both', 'api.log') });
    for (let number = 0; number < 500; number += 1) logger.info({ number });
    logger.fatal('last');
    await closeLogger(logger);
    const [only, ...more] = filesOf('both');
    expect(more).toEqual([]);
    expect(only?.file).toMatch(/^api\.\d{4}-\d\d-\d\d\.1\.log$/);
    expect(only?.text).toBe(text());
    logger.info('later');
    await closeLogger(logger);
    expect(text()).toContain('"later"');
  });

  it('is rotated by size and only the newest are kept, those of earlier runs included', async () => {
    mkdirSync(join(folder, 'keep'));
    for (const day of ['01', '02', '03'])
      writeFileSync(join(folder, 'keep', `api.2020-01-${day}.1.log`), 'old\n');
    const { logger } = probe({ file: join(folder, 'keep', 'api.log'), keep: 2, maxSizeMb: 1 });
    const sizes = () =>
      readdirSync(join(folder, 'keep')).map((file) => {
        const stats = statSync(join(folder, 'keep', file), { throwIfNoEntry: false });
        return `${file} ${stats?.size}`;
      });
    for (let number = 0; number < 5; number += 1) {
      const before = sizes().join();
      logger.info('x'.repeat(600_000));
      await until(() => sizes().join() !== before, 'the line');
      await sleep(100); // for what follows a line
    }
    await closeLogger(logger);
    const files = filesOf('keep').map(({ file }) => file);
    expect(files).toHaveLength(2);
    expect(files.join()).not.toContain('2020');
  });

  it('is rotated when the day ends', async () => {
    await build();
    const day = join(folder, 'day');
    const midnight = new Date().setHours(24, 0, 0, 0);
    // Some seconds before midnight from when the program says so, in the thread that writes the files too.
    const clock = join(folder, 'clock.cjs');
    writeFileSync(
      clock,
      `const late = () => Number(process.env.LATE ?? 0);
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + late()); }
        static now() { return Real.now() + late(); }
      };`,
    );
    const program = `
      const { readdirSync } = await import('node:fs');
      const { createLogger, closeLogger } = await import('./dist/infra/logging/logger.js');
      process.env.LATE = String(${midnight} - 12_000 - Date.now());
      const log = createLogger({ level: 'info', environment: 'production', keep: 5, maxSizeMb: 1,
        file: ${JSON.stringify(join(day, 'api.log'))} });
      log.info('before');
      const files = () => readdirSync(${JSON.stringify(day)}).length;
      while (files() < 2) await new Promise((resolve) => setTimeout(resolve, 50));
      log.info('after');
      await closeLogger(log);`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, NODE_OPTIONS: `--require ${clock}` },
      timeout: 120_000,
    });
    const words = filesOf('day').map(({ text }) => JSON.parse(text.trim().split('\n').at(-1) ?? '{}').msg);
    const days = filesOf('day').map(({ file }) => /^api\.(\d{4}-\d\d-\d\d)\.1\.log$/.exec(file)?.[1]);
    expect(words).toEqual(['before', 'after']);
    expect(new Set(days).size).toBe(2);
  });

  it('that cannot be opened refuses the start and names the folder', () => {
    const blocker = join(folder, 'blocker');
    writeFileSync(blocker, '');
    expect(() => probe({ file: join(blocker, 'logs', 'api.log') })).toThrow(
      `LOG_FILE: ${join(blocker, 'logs')} cannot be written (ENOTDIR)`,
    );
  });

  it('that fails later is given up with one line, and stdout goes on', async () => {
    const lost = join(folder, 'lost');
    mkdirSync(join(lost), { recursive: true });
    const { logger, text, lines } = probe({ file: join(lost, 'bad.log', '../..', 'api\u0000.log') });
    await until(() => text().includes('given up'), 'the end of the file');
    logger.info('still here');
    await closeLogger(logger);
    expect(lines().map(({ msg }) => msg)).toEqual(['log file given up', 'still here']);
    expect(lines()[0]).toMatchObject({ level: 'error', reason: expect.any(String) });
  });
});

describe('the current request', () => {
  it('is known in everything the request starts, and nowhere else', async () => {
    expect(currentRequest()).toBeUndefined();
    const emitter = new EventEmitter();
    const seen = await runInRequest(request(), async () => {
      setTimeout(() => emitter.emit('x'), 1);
      await once(emitter, 'x');
      const store = currentRequest();
      if (store) store.dbQueries += 1;
      return requestContext.getStore();
    });
    expect(seen).toMatchObject({ correlationId: 'c-1', dbQueries: 1 });
    expect(currentRequest()).toBeUndefined();
  });

  it.each(['a', 'A-1_b.2', 'x'.repeat(128), newCorrelationId()])('keeps the correlation id %s', (id) => {
    expect(isValidCorrelationId(id)).toBe(true);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'a\n', 'ä', undefined, ['a']])(
    'refuses the correlation id %j',
    (id) => {
      expect(isValidCorrelationId(id)).toBe(false);
    },
  );

  it('new correlation ids differ', () => {
    expect(newCorrelationId()).not.toBe(newCorrelationId());
  });
});
