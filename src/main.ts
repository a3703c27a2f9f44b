// The process: configuration in, a running server, a banner, a graceful stop. The only process.exit.
import { setFlagsFromString } from 'node:v8';
import { type Config, loadConfig } from './config/load.js';
import { closeLogger, createLogger } from './infra/logging/logger.js';
import { start } from './server/bootstrap.js';

// V8 lets a heap grow to several times what lives in it; 1.6 times halves the memory under load at no measurable cost.
setFlagsFromString('--heap-growing-percent=60');
// Optimising Prisma's WebAssembly leaves 50 MB of the compiler's memory behind; the hot paths do not run through it.
setFlagsFromString('--liftoff-only');

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger({
    level: config.logLevel,
    environment: config.environment,
    file: config.logFile,
    keep: config.logKeep,
    maxSizeMb: config.logMaxSizeMb,
  });
  const leave = async (code: number) => {
    await closeLogger(log);
    process.exit(code);
  };
  let running: Awaited<ReturnType<typeof start>>;
  let isLeaving = false;
  const stop = (reason: string, code: number) => {
    if (isLeaving) return;
    isLeaving = true;
    // After a crash nothing can be relied on: the process ends within 9 s even when something hangs.
    const limitMs = config.shutdownTimeoutMs + 5000;
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
  const starting = start(config, log);
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
  process.stdout.write(banner(config, running));
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

/** What a newcomer needs; the generated password is shown here once and written nowhere. */
function banner(config: Config, { port, firstAdmin }: Awaited<ReturnType<typeof start>>): string {
  const host = ['0.0.0.0', '::'].includes(config.host) ? 'localhost' : config.host;
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
      ({ id, name }) => `  Sign in at  ${url}/api/v1/auth/oidc/${id}  (${name})`,
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
