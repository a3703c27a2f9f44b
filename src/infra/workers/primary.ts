// The primary's side: forks the workers, starts each that ends again, counts for all and passes messages among them.
import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { AggregatorRegistry } from 'prom-client';
import type { Offered, PreparedDatabase, PrimaryCalls, WorkerCalls } from './calls.js';
import { createSharedCounters } from './counters.js';
import { createPeer, type Peer } from './ipc.js';

interface PrimaryOptions {
  count: number;
  database: PreparedDatabase;
  log: Logger;
  /** Time that a worker has to stop before it is killed, in milliseconds. */
  stopMs: number;
}

/** The part of the first worker's start that the banner prints. */
type Greeting = Parameters<PrimaryCalls['serving']>[0];

/** The workers of a server. */
export interface Workers {
  greeting: Greeting;
  /** Stops all workers, which drain what they are doing; then no worker runs. */
  stop: () => Promise<void>;
}

interface Seat {
  /** From 1 on; a worker that takes the place of another has its number. */
  number: number;
  worker: Worker;
  peer: Peer<WorkerCalls>;
  isServing: boolean;
  endsInARow: number;
}

/** A worker that ends is replaced at once, one that ends again and again after up to half a minute. */
const longestPauseMs = 30_000;
/** A worker that has served for so long has started well. */
const provenMs = 60_000;

/** All workers, and what is known of them. */
interface Room extends PrimaryOptions {
  seats: (Seat | undefined)[];
  counters: ReturnType<typeof createSharedCounters>;
  timers: Set<NodeJS.Timeout>;
  /** Whether the first worker has started: from then on a worker that ends is replaced. */
  isOpen: boolean;
  isStopping: boolean;
}

const serving = ({ seats }: Room) => seats.filter((seat) => seat?.isServing === true) as Seat[];
const countOf = (room: Room) => ({ configured: room.count, running: serving(room).length });
const announce = (room: Room) => {
  for (const { peer } of serving(room)) peer.tell('workers', countOf(room));
};

/**
 * Starts the first worker alone, since it makes what an installation lacks, and then the others.
 * @throws Error when the first worker ends before it serves; it has said why
 */
export async function startWorkers(options: PrimaryOptions): Promise<Workers> {
  const room: Room = {
    ...options,
    seats: Array.from({ length: options.count }),
    counters: createSharedCounters(),
    timers: new Set(),
    isOpen: false,
    isStopping: false,
  };
  const greeting = await sit(room, 1, 0);
  room.isOpen = true;
  for (let number = 2; number <= options.count; number += 1) sit(room, number, 0).catch(() => {});
  return {
    greeting,
    async stop() {
      room.isStopping = true;
      for (const timer of room.timers) clearTimeout(timer);
      await Promise.all(room.seats.map((seat) => seat && stopWorker(seat.worker, options.stopMs)));
    },
  };
}

/** Forks a worker. @returns its greeting, once it serves @throws Error when it ends before */
function sit(room: Room, number: number, endsInARow: number): Promise<Greeting> {
  const worker = cluster.fork({ SEC_TESTER_WORKER: String(number) });
  worker.on('error', () => {}); // of a message to a worker that has ended
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const peer = createPeer<WorkerCalls>(
      channelOf(worker),
      callsOf(room, () => seat, resolve),
    );
    const seat: Seat = { number, worker, peer, isServing: false, endsInARow };
    room.seats[number - 1] = seat;
    worker.once('exit', (code, signal) => {
      seat.isServing = false;
      reject(new Error('The first worker did not start; its message is above.'));
      if (room.isOpen && !room.isStopping)
        replace(room, seat, performance.now() - startedAt, { code, signal });
    });
  });
}

function callsOf(room: Room, seatOf: () => Seat, onServing: (greeting: Greeting) => void): Offered {
  return {
    ...room.counters,
    begin: () => ({ database: room.database, workers: countOf(room) }),
    serving(greeting) {
      const seat = seatOf();
      seat.isServing = true;
      room.log.info({ event: 'worker_started', worker: seat.number, pid: seat.worker.process.pid });
      announce(room);
      onServing(greeting);
    },
    publish(topic, message) {
      for (const other of serving(room)) if (other !== seatOf()) other.peer.tell('message', topic, message);
    },
    metrics: () => aggregate(serving(room)),
  };
}

function replace(room: Room, { number, endsInARow }: Seat, livedMs: number, end: object): void {
  const ends = livedMs >= provenMs ? 1 : endsInARow + 1;
  const startsAgainInMs = ends === 1 ? 0 : Math.min(500 * 2 ** (ends - 2), longestPauseMs);
  room.log.error({ event: 'worker_ended', worker: number, ...end, startsAgainInMs });
  announce(room);
  const timer = setTimeout(() => {
    room.timers.delete(timer);
    if (!room.isStopping) sit(room, number, ends).catch(() => {});
  }, startsAgainInMs);
  room.timers.add(timer);
}

function channelOf(worker: Worker) {
  return {
    send: (message: object, done: (fault: Error | null) => void) =>
      void worker.process.send?.(message, undefined, undefined, done),
    receive: (handler: (message: unknown) => void) => void worker.process.on('message', handler),
  };
}

/** Sums counters and histograms; each gauge says how it is to be aggregated. */
async function aggregate(seats: readonly Seat[]): Promise<string> {
  const readings = await Promise.all(seats.map(({ peer }) => peer.ask('metrics').catch(() => [])));
  return AggregatorRegistry.aggregate(readings).metrics();
}

async function stopWorker(worker: Worker, withinMs: number): Promise<void> {
  if (worker.isDead()) return;
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.process.kill('SIGTERM');
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), withinMs);
  await ended;
  clearTimeout(timer);
}
