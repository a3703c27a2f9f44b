// From configuration to a listening server and back: adapters, services, first admin, jobs, graceful stop.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHttpTerminator } from 'http-terminator';
import type { Logger } from 'pino';
import type { Config } from '../config/load.js';
import { defaultTiming, type Timing } from '../core/timeouts.js';
import type { PasswordHasher } from '../infra/credentials/password-hasher.js';
import type { Infra } from '../infra/infra.js';
import type { PrimaryLink } from '../infra/workers/link.js';
import { createAdapters } from './adapters.js';
import { type Closer, createClosers } from './closers.js';
import { createFirstAdmin, type FirstAdmin } from './first-admin.js';
import { type App, type AppOptions, createApp } from './http-server.js';
import { startJobs } from './jobs.js';
import { createServices, type Services } from './services.js';
import { watch } from './watch.js';

/** A running server. */
export interface Running {
  port: number;
  services: Services;
  passwords: PasswordHasher;
  /** The first admin, when this start made it; the password only when it was generated. */
  firstAdmin: FirstAdmin | undefined;
  /** Stops taking requests, drains, closes everything; safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts everything that the configuration asks for.
 * @param now milliseconds since 1970
 * @param primary what has forked this process, if it is a worker of a server
 * @throws Error with a message for people; everything that was started by then is stopped again
 */
export async function start(
  config: Config,
  log: Logger,
  now: () => number = Date.now,
  options: AppOptions = {},
  primary?: PrimaryLink,
): Promise<Running> {
  const closers = createClosers(log);
  const heartbeat = { pingEveryMs: config.heartbeatSeconds * 1000 };
  const timing: Timing = { ...defaultTiming, ...heartbeat, ...options.timing };
  try {
    const infra = await createAdapters({ config, log, now, timing, primary }, closers);
    const services = createServices(infra);
    const firstAdmin = await createFirstAdmin(services, config);
    const app = createApp(services, infra, options);
    if (config.isMetricsEnabled) watch(app, services, infra);
    closers.add(await serve(app, services, infra, timing.drainMs));
    const { port } = app.server.address() as AddressInfo;
    return { port, services, passwords: infra.passwords, firstAdmin, close: closers.close };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Listens and starts the jobs. @returns what drains the server and stops it */
async function serve(
  { server, endStreams }: App,
  services: Services,
  infra: Infra,
  drainMs: number,
): Promise<Closer> {
  const { config } = infra;
  const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: config.shutdownTimeoutMs });
  await listen(server, config);
  const stopJobs = startJobs(services, infra);
  return async () => {
    services.health.stopping();
    // Ends kept connections between two requests, where closing the server would cut off one that is on its way.
    server.prependListener('request', (_request, response) => {
      response.shouldKeepAlive = false;
    });
    const drained = config.isProduction ? sleep(drainMs) : undefined;
    await stopJobs();
    await endStreams();
    await drained;
    await terminator.terminate();
  };
}

async function listen(server: Server, { host, port }: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason =
        error.code === 'EADDRINUSE'
          ? `Port ${port} is already in use. Stop what uses it, or set PORT to another one.`
          : `Cannot listen on ${host}:${port}: ${error.message}`;
      reject(new Error(reason, { cause: error }));
    });
    server.listen({ host, port, backlog: 1024 }, resolve);
  });
}
