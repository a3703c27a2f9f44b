// The settings that every session must have, however role, database and proxies are set: sent at the start, then verified.
import pg from 'pg';
import type { Target } from './target.js';

/** Settings of one kind of session, beside those of all. */
export interface SessionNeeds {
  /** Server-side limit of one statement, in milliseconds; 0 for none. */
  statementTimeoutMs: number;
  /** Server-side limit of the time between two statements of a transaction, in milliseconds; 0 for none. */
  idleInTransactionTimeoutMs: number;
  isReadOnly?: boolean;
}

interface Wanted {
  name: string;
  value: string;
  /** Whether the session has what is wanted. */
  fits: (found: string) => boolean;
  /** Whether an answer would be wrong without it, rather than late. */
  isVital: boolean;
  /** Whether versions of PostgreSQL that lack it are supported: it cannot be sent at the start. */
  isNew?: boolean;
}

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function milliseconds(text: string): number {
  const [, number = '', unit = 'ms'] = /^(\d+)(ms|s|min|h|d)?$/.exec(text) ?? [];
  return Number(number) * (unitsMs[unit] ?? Number.NaN);
}

const vital = (name: string, value: string, fits = (found: string) => found === value): Wanted => ({
  name,
  value,
  fits,
  isVital: true,
});
const limit = (name: string, ms: number, isNew = false): Wanted => ({
  name,
  value: String(ms),
  fits: (found) => milliseconds(found) === ms,
  isVital: false,
  isNew,
});

function wantedOf({ statementTimeoutMs, idleInTransactionTimeoutMs, isReadOnly }: SessionNeeds): Wanted[] {
  return [
    vital('TimeZone', 'UTC', (found) => /^(Etc\/)?(UTC|GMT)$/i.test(found)),
    vital('DateStyle', 'ISO', (found) => found.startsWith('ISO,')),
    vital('IntervalStyle', 'postgres'),
    vital('standard_conforming_strings', 'on'),
    vital('bytea_output', 'hex'),
    vital('extra_float_digits', '1', (found) => Number(found) >= 1),
    vital('transform_null_equals', 'off'),
    vital('search_path', 'public', (found) => /^("?\$user"?, ?)?public$/.test(found)),
    vital('default_transaction_isolation', 'read committed'),
    vital('default_transaction_read_only', isReadOnly === true ? 'on' : 'off'),
    vital('default_transaction_deferrable', 'off'),
    limit('statement_timeout', statementTimeoutMs),
    limit('idle_in_transaction_session_timeout', idleInTransactionTimeoutMs),
    limit('lock_timeout', 0),
    limit('transaction_timeout', 0, true),
    limit('idle_session_timeout', 0, true),
    { ...limit('jit', 0), value: 'off', fits: (found) => found === 'off' },
  ];
}

/** Settings that PgBouncer keeps for each of its clients; newer versions read these within the options too. */
const tracked = new Set(['TimeZone', 'DateStyle', 'IntervalStyle', 'standard_conforming_strings']);

/** The start-up options of a connection: those of the URL, then ours, which win. */
export function startUpOptions(target: Target, needs: SessionNeeds): string | undefined {
  if (target.startUp === 'none') return undefined;
  const ours = wantedOf(needs)
    .filter(({ name, isNew }) => (target.startUp === 'all' ? isNew !== true : tracked.has(name)))
    .map(({ name, value }) => `-c ${name}=${value.replace(/ /g, '\\ ')}`);
  const given = target.startUp === 'all' ? target.address.options : '';
  return [given, ...ours].filter(Boolean).join(' ');
}

interface Found {
  settings: (string | null)[];
  encoding: string;
  isInRecovery: boolean;
}

const send = pg.Client.prototype.query as (
  this: pg.ClientBase,
  config: pg.QueryConfig & { query_timeout: number },
) => Promise<{ rows: unknown[] }>;
/** Sends a statement that counts for no request: the pool's clients measure theirs. */
const query = (client: pg.ClientBase, text: string, timeoutMs: number): Promise<{ rows: unknown[] }> =>
  send.call(client, { text, query_timeout: timeoutMs });

/** The moment at which the server was started, as text: it tells servers behind one name apart. */
export async function startOf(client: pg.ClientBase, timeoutMs: number): Promise<string> {
  const { rows } = await query(client, 'SELECT pg_postmaster_start_time()::text AS "startedAt"', timeoutMs);
  return (rows[0] as { startedAt: string }).startedAt;
}

/**
 * Verifies the settings of a new session, and sets what did not arrive.
 * @throws Error with `isHopeless` when the database or a proxy cannot be used as it is set
 * @throws Error of code 25006 when the URL wants a host that writes, and this one does not
 */
export async function settleSession(
  client: pg.ClientBase,
  target: Target,
  needs: SessionNeeds,
  timeoutMs: number,
): Promise<void> {
  const wanted = wantedOf(needs);
  const read = async () => (await query(client, readText(wanted), timeoutMs)).rows[0] as Found;
  const found = await patiently(read);
  if (found.encoding !== 'UTF8')
    throw hopeless(
      `its encoding is ${found.encoding}; create a database with ENCODING 'UTF8' TEMPLATE template0`,
    );
  if (target.address.mustWrite && found.isInRecovery)
    throw Object.assign(new Error('this host is a standby, which only reads'), { code: '25006' });
  const wrong = differences(wanted, found);
  if (wrong.length === 0) return;
  if (!target.isShared) {
    await patiently(() => query(client, setText(wrong), timeoutMs));
    if (differences(wanted, await read()).every(({ isVital }) => !isVital)) return;
  }
  const vitalOnes = wrong.filter(({ isVital }) => isVital);
  if (vitalOnes.length > 0)
    throw hopeless(`its sessions lack settings; run ${alterations(target, vitalOnes)}`);
}

/** The limits that no session of a shared target has, as statements that set them; empty when all are there. */
export async function missingLimits(
  client: pg.ClientBase,
  target: Target,
  needs: SessionNeeds,
  timeoutMs: number,
): Promise<string> {
  const wanted = wantedOf(needs);
  const { rows } = await query(client, readText(wanted), timeoutMs);
  return alterations(target, differences(wanted, rows[0] as Found));
}

const readText = (wanted: readonly Wanted[]): string =>
  `SELECT ARRAY[${wanted.map(({ name }) => `current_setting('${name}', true)`).join(', ')}] AS settings,
    current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS "isInRecovery"`;

const setText = (wrong: readonly Wanted[]): string =>
  `SELECT ${wrong.map(({ name, value }) => `set_config('${name}', '${value}', false)`).join(', ')}`;

/** A setting that this version of PostgreSQL does not have is NULL. */
const differences = (wanted: readonly Wanted[], { settings }: Found): Wanted[] =>
  wanted.filter(({ fits }, index) => {
    const value = settings[index];
    return typeof value === 'string' && !fits(value);
  });

const alterations = ({ address }: Target, wrong: readonly Wanted[]): string =>
  wrong
    .map(({ name, value }) => `ALTER ROLE ${pg.escapeIdentifier(address.user)} SET ${name} = '${value}';`)
    .join(' ');

const hopeless = (reason: string): Error => Object.assign(new Error(reason), { isHopeless: true });

/** A role may have a time limit so short that even this is ended now and then. */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 20; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as { code?: string }).code !== '57014' || left === 0) throw error;
    }
  }
}
