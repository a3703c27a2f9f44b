// Runs reads of lists, statistics and exports on the replica where it may, and on the primary otherwise.
import type { Sql } from 'sql-template-tag';
import { AppError } from '../../../core/errors.js';
import type { BulkOptions } from '../bulk/connection.js';
import { readByCopy } from '../bulk/copy-out.js';
import type { Reads } from '../connection/server.js';
import { codeOf, queryCanceled } from '../errors.js';
import type { Contact } from './contact.js';
import type { Replica } from './replica.js';

/** Reads that run on the replica when it shows all that was committed before; what fails there is repeated on the primary. */
export function readsOfLists(primary: Reads, replica: Replica): Reads {
  const { counts } = replica;
  async function run<Row>(kind: keyof Reads, statement: Sql): Promise<Row[]> {
    const contact = await replica.choose();
    if (contact === undefined) {
      counts.primary += 1;
      return primary[kind](statement);
    }
    try {
      const rows = await contact.run<Row>(kind, statement);
      counts.replica += 1;
      return rows;
    } catch (error) {
      leaveFor(replica, error);
      return primary[kind](statement);
    }
  }
  return {
    query: (statement) => run('query', statement),
    read: (statement) => run('read', statement),
    queryUncached: (statement) => run('queryUncached', statement),
  };
}

/** Reads the rows of a SELECT in batches; see {@link readByCopy}. */
export type CopyOut = (statement: Sql) => AsyncGenerator<string[]>;

/**
 * Makes the function that copies rows out for exports. Once the first batch has come from the replica, the rest comes from there
 * too, and an error there ends the export.
 */
export function createCopyOut(bulk: BulkOptions, replica: Replica | undefined): CopyOut {
  if (replica === undefined) return (statement) => readByCopy(bulk, statement);
  return async function* copyOut(statement) {
    const contact = await replica.choose();
    const begun = contact && (await beginOn(contact, bulk, replica, statement));
    if (begun === undefined) {
      if (contact === undefined) replica.counts.primary += 1;
      yield* readByCopy(bulk, statement);
      return;
    }
    replica.counts.replica += 1;
    try {
      if (begun.first.done !== true) yield begun.first.value;
      yield* begun.rest;
    } finally {
      await begun.rest.return(undefined);
    }
  };
}

async function beginOn(contact: Contact, bulk: BulkOptions, replica: Replica, statement: Sql) {
  const { url, isShared, startedAt } = contact;
  const rest = readByCopy({ ...bulk, url, isShared, startedAt: startedAt() }, statement);
  try {
    return { first: await contact.whileThere(rest.next()), rest };
  } catch (error) {
    void rest.return(undefined).catch(() => {}); // once it is over there
    leaveFor(replica, error);
    return undefined;
  }
}

/**
 * Takes note of a failure on the replica, after which the primary runs the statement.
 * @throws the error of a statement that PostgreSQL stopped, as it would be as slow on the primary
 */
function leaveFor(replica: Replica, error: unknown): void {
  if (error instanceof AppError && codeOf(error.cause) === queryCanceled) throw error;
  replica.counts.repeated += 1;
  if (error instanceof AppError) replica.suspect(); // it was lost, or did not answer
}
