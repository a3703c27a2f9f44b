// Where primary and standby are in the write-ahead log, and what makes the one a standby of the other.
import { sql } from '../sql.js';

/** A position of the primary. Positions of different timelines cannot be compared. */
export interface Position {
  timeline: number;
  /** Bytes since the log began. */
  position: number;
}

/** The primary as it identifies itself. */
export interface Primary extends Position {
  /** Cluster and database: a standby has the same. */
  identity: string;
}

/** A server as a standby would identify itself. */
export interface Standby {
  isInRecovery: boolean;
  timeline: number;
  identity: string;
}

const identity = sql`(SELECT system_identifier FROM pg_control_system())
  || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS identity`;

/**
 * Everything that was committed before lies before this position. With synchronous_commit off a commit is not flushed when it
 * is acknowledged.
 */
const written = sql`(SELECT CASE current_setting('synchronous_commit')
  WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END AS lsn) AS written`;

const position = sql`('x' || left(pg_walfile_name(lsn), 8))::bit(32)::int AS timeline,
  (lsn - '0/0'::pg_lsn)::float8 AS position`;

/** Reads {@link Position} on the primary. */
export const selectPosition = sql`SELECT ${position} FROM ${written}`;

/** Reads {@link Primary} on the primary. */
export const selectPrimary = sql`SELECT ${position}, ${identity} FROM ${written}`;

/** Reads the position up to which a standby has replayed the log; no row on a server that is none. */
export const selectReplayed = sql`
  SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::float8 AS position WHERE pg_is_in_recovery()`;

/** Reads {@link Standby}. The control file learns of a new timeline late, and the receiver may not be there. */
export const selectStandby = sql`
  SELECT pg_is_in_recovery() AS "isInRecovery", ${identity},
    greatest(at_checkpoint.timeline_id, at_recovery.min_recovery_end_timeline,
      (SELECT received_tli FROM pg_stat_wal_receiver)) AS timeline
  FROM pg_control_checkpoint() AS at_checkpoint, pg_control_recovery() AS at_recovery`;

/** Why a server is no standby of this primary; undefined when it is one. */
export function whyNot(primary: Primary, standby: Standby | undefined): string | undefined {
  if (standby?.isInRecovery !== true) return 'it is not in recovery: it was promoted, or never was a standby';
  if (standby.identity !== primary.identity) return 'it is a standby of another server or database';
  if (standby.timeline !== primary.timeline)
    return `it is on timeline ${standby.timeline}, the primary on ${primary.timeline}`;
  return undefined;
}
