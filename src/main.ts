// The process: configuration in, a running server, a banner, a graceful stop. The only process.exit.
import cluster from 'node:cluster';
import { parse } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { type Config, loadConfig } from './config/load.js';
import { closeLogger, createLogger } from './infra/logging/logger.js';
import { joinPrimary } from './infra/workers/link.js';
import { start } from './server/bootstrap.js';
import { type RunningWorkers, startPrimary } from './server/workers.js';

// V8 lets a heap grow to several times what lives in it; 1.6 times halves the memory under load at no measurable cost.
setFlagsFromString('--heap-growing-percent=60');
// Optimising Prisma's WebAssembly leaves 50 MB of the compiler's memory behind; the hot paths do not run through it.
setFlagsFromString('--liftoff-only');

/** Of a worker (WORKERS): from 1 on. */
const workerNumber = cluster.isWorker ? Number(process.env.SEC_TESTER_WORKER) : undefined;

async function main(): Promise<void> {
  const config = readConfig();
  const processLog = createLogger({
    level: config.logLevel,
    environment: config.environment,
    file: logFileOf(config),
    keep: config.logKeep,
    maxSizeMb: config.logMaxSizeMb,
  });
  const log = workerNumber === undefined ? processLog : processLog.child({ worker: workerNumber });
  const leave = async (code: number) => {
    await closeLogger(processLog);
    process.exit(code);
  };
  let running: RunningWorkers;
  const isPrimary = cluster.isPrimary && config.workers > 1;
  let isLeaving = false;
  const stop = (reason: string, code: number) => {
    if (isLeaving) return;
    isLeaving = true;
    // After a crash nothing can be relied on: the process ends within 9 s even when something hangs.
    const limitMs = config.shutdownTimeoutMs + (isPrimary ? 8000 : 5000);
    setTimeout(() => process.exit(1), code === 0 ? limitMs : Math.min(limitMs, 9000)).unref();
    log.info({ event: 'stopping', reason });
    starting
      .then((server) => server.close())
      .catch(() => {})
      .finally(() => {
        log.info({ event: 'stopped' });
        void leave(code);
      });
  };
  // Nobody reads it, or its disk is full. The logger inside http-terminator would end the process for that.
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => {});
  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ event: 'crashed', err: error }, 'stopping after an unexpected error');
      stop(event, 1);
    });
  }
  const starting = isPrimary ? startPrimary(config, log) : startServing(config, log, stop);
  try {
    running = await starting;
  } catch (error) {
    if (isLeaving) return;
    process.stderr.write(
      `\nSEC-TESTER API cannot start.\n${error instanceof Error ? error.message : String(error)}\n\n`,
    );
    log.debug({ event: 'start_failed', err: error });
    return leave(1);
  }
  log.info({ event: 'started', port: running.port });
  if (workerNumber === undefined) process.stdout.write(banner(config, running));
}

/** Starts a server in this process, which may be a worker of several. */
async function startServing(
  config: Config,
  log: ReturnType<typeof createLogger>,
  stop: (reason: string, code: number) => void,
): Promise<RunningWorkers> {
  if (workerNumber === undefined) return start(config, log);
  const primary = await joinPrimary(() => stop('the primary is gone', 0));
  const running = await start(config, log, Date.now, {}, primary);
  const { port, firstAdmin } = running;
  primary.tell('serving', { port, firstAdmin });
  return running;
}

/** Each worker writes files of its own, because each counts and removes its old ones by itself. */
function logFileOf({ logFile }: Config): string | undefined {
  if (logFile === undefined || workerNumber === undefined) return logFile;
  const { dir, name, ext } = parse(logFile);
  return `${dir}/${name}.worker-${workerNumber}${ext}`;
}

function readConfig(): Config {
  try {
    return loadConfig(process.env);
  } catch (error) {
    process.stderr.write(
      `\nSEC-TESTER API cannot start. These settings are wrong:\n${(error as Error).message}\n\n`,
    );
    return process.exit(1);
  }
}

/** The banner for a first start; the generated password is shown here once and written nowhere. */
function banner(config: Config, { port, firstAdmin }: RunningWorkers): string {
  // Browsers have passkeys at a name only, also on this computer.
  const isHere = ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(config.host);
  const host = isHere ? 'localhost' : config.host;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const password = firstAdmin?.generatedPassword ?? 'the ADMIN_PASSWORD that you set';
  const signIn =
    firstAdmin === undefined
      ? []
      : [
          '',
          `  Sign in     ${firstAdmin.email} / ${password}`,
          ...(firstAdmin.generatedPassword ? ['              (shown only once: write it down)'] : []),
        ];
  return [
    '',
    '  SEC-TESTER API is ready',
    '',
    `  GraphQL     ${url}/graphql${config.isGraphiqlEnabled ? '  (GraphiQL in a browser)' : ''}`,
    ...(config.oidcProviders ?? []).map(
      ({ id, name }) => `  Sign in at  ${config.publicUrl ?? url}/api/v1/auth/oidc/${id}  (${name})`,
    ),
    `  REST docs   ${url}/docs`,
    `  Health      ${url}/api/v1/health`,
    `  Data        ${config.databaseUrl === undefined ? `${config.dataDir} (embedded PostgreSQL)` : 'DATABASE_URL'}`,
    ...signIn,
    '',
    '',
  ].join('\n');
}

void main();
