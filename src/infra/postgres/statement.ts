// Sends the program's own statements on a connection of pg and reads their rows. PostgreSQL describes the columns of a
// named statement once per connection instead of with every answer (docs/adr/0015).
import { createHash } from 'node:crypto';
import pg from 'pg';
import { parserOf } from './column-types.js';

/** A statement as PostgreSQL receives it. */
export interface Statement {
  /** Prepares the statement under this name, once per connection; see {@link createStatementNames}. */
  name?: string | undefined;
  text: string;
  /** Values of $1, $2 and so on. */
  values?: unknown[] | undefined;
}

/** Result of a statement: its rows, and PostgreSQL's command tag, for example `SELECT 20`. */
export interface StatementResult {
  rows: unknown[];
  tag: string;
}

/** Receives the result, or the error that took its place. Called once. */
export type OnResult = (error: Error | null, result?: StatementResult) => void;

/** Decides when statements that are held back go out: `setImmediate` or `process.nextTick`. */
export type Schedule = (release: () => void) => unknown;

/**
 * Sends a statement on a connection.
 * @param onResult runs in the context of the socket, not of the request
 * @param hold holds back this statement and those behind it on the connection until the schedule runs its callback, so
 * that they go out in one system call
 */
export function sendStatement(
  client: pg.ClientBase,
  statement: Statement,
  onResult: OnResult,
  hold?: Schedule,
): void {
  client.query(new StatementQuery(statement, onResult, hold));
}

interface Column {
  name: string;
  dataTypeID: number;
}

/** The part of pg's query that its own custom queries (pg-cursor, pg-query-stream) override too. */
interface PgQuery {
  name: string | undefined;
  callback: OnResult;
  /** @returns the error of a statement that cannot be sent */
  submit(connection: pg.Connection): Error | null;
  handleRowDescription(message: { fields: Column[] }): void;
  handleDataRow(message: { fields: (string | null)[] }): void;
  handleCommandComplete(message: { text: string }): void;
  handleReadyForQuery(): void;
}
// @types/pg leaves out the message handlers; tests/unit/infra/statement.test.ts fails when they change.
const PgQuery = pg.Query as unknown as new (
  text: string,
  values: unknown[] | undefined,
  callback: OnResult,
) => PgQuery;

/** A class, because a connection in pipeline mode accepts only pg's query and classes derived from it. */
class StatementQuery extends PgQuery {
  private readonly result: StatementResult = { rows: [], tag: '' };
  private readonly hold: Schedule | undefined;
  private readers: Map<string, ReadRow> | undefined;
  private readRow: ReadRow | undefined;

  constructor({ name, text, values }: Statement, onResult: OnResult, hold: Schedule | undefined) {
    super(text, values, onResult);
    this.name = name;
    this.hold = hold;
  }

  override submit(connection: pg.Connection): Error | null {
    const state = stateOf(connection);
    if (this.hold !== undefined) holdWrites(state, this.hold);
    if (this.name === undefined) return super.submit(connection);
    this.readers = state.readers;
    this.readRow = state.readers.get(this.name);
    return super.submit(this.readRow === undefined ? connection : state.withoutDescribe);
  }

  override handleRowDescription({ fields }: { fields: Column[] }): void {
    this.readRow = rowReaderOf(fields);
  }

  override handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.result.rows.push(this.readRow?.(fields));
  }

  override handleCommandComplete({ text }: { text: string }): void {
    this.result.tag = text;
    if (this.name !== undefined) this.readers?.set(this.name, this.readRow ?? noColumns);
  }

  override handleReadyForQuery(): void {
    this.callback(null, this.result);
  }
}

type ReadRow = (fields: (string | null)[]) => unknown;

/** The state of one connection. */
interface ConnectionState {
  connection: pg.Connection;
  /** The same connection without the means to ask for a description. */
  withoutDescribe: pg.Connection;
  /** The row reader of each named statement, once PostgreSQL has described it. */
  readers: Map<string, ReadRow>;
  isHeld: boolean;
}
const states = new WeakMap<pg.Connection, ConnectionState>();

function stateOf(connection: pg.Connection): ConnectionState {
  let state = states.get(connection);
  if (state === undefined) {
    const withoutDescribe = Object.create(connection, { describe: { value: () => {} } }) as pg.Connection;
    state = { connection, withoutDescribe, readers: new Map(), isHeld: false };
    states.set(connection, state);
  }
  return state;
}

function holdWrites(state: ConnectionState, schedule: Schedule): void {
  if (state.isHeld) return;
  state.isHeld = true;
  const { stream } = state.connection;
  stream.cork();
  schedule(() => {
    state.isHeld = false;
    stream.uncork();
  });
}

/** By the names and types of the columns; all connections share them. */
const maxRowReaders = 1000;
const rowReaders = new Map<string, ReadRow>();

function rowReaderOf(columns: readonly Column[]): ReadRow {
  const shape = JSON.stringify(columns.map(({ name, dataTypeID }) => [name, dataTypeID]));
  let reader = rowReaders.get(shape);
  if (reader === undefined) {
    reader = createRowReader(columns);
    if (rowReaders.size < maxRowReaders) rowReaders.set(shape, reader);
  }
  return reader;
}

/**
 * Makes the function that turns the texts of a row into an object; it runs for every row of every hot read. V8 copies a
 * template fast and keeps the copies fast, whereas objects that grow by computed keys become slow beyond 16 columns.
 */
function createRowReader(columns: readonly Column[]): ReadRow {
  const names = columns.map(({ name }) => name);
  const template = emptyRow(names);
  const parsers = columns.map(({ dataTypeID }) => parserOf(dataTypeID));
  const parsed = [...parsers.keys()].filter((index) => parsers[index] !== undefined);
  return (fields) => {
    const values: unknown[] = fields;
    for (let at = 0; at < parsed.length; at += 1) {
      const index = parsed[at] as number;
      const text = fields[index];
      if (typeof text === 'string') values[index] = parsers[index]?.(text);
    }
    const row: Record<string, unknown> = { ...template };
    for (let index = 0; index < names.length; index += 1) row[names[index] as string] = values[index];
    return row;
  };
}

/** Every field has held a number, a text and null, so that V8 expects any value in it. */
function emptyRow(names: readonly string[]): Record<string, unknown> {
  const row = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name) => [name, null]))));
  for (const value of [0, '', null]) for (const name of names) row[name] = value;
  return row;
}

const noColumns: ReadRow = () => ({});

/** Statements that are prepared at most: every connection keeps a plan for each of them. */
const maxNames = 400;

/**
 * Gives each text a name that is the same on every connection and in every instance. A proxy such as PgBouncer may lend
 * one connection of PostgreSQL to several instances, so a name must never stand for two texts.
 * @returns the name of a text; undefined once {@link maxNames} texts have one
 */
export function createStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined || names.size >= maxNames) return known;
    const name = `st_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
    names.set(text, name);
    return name;
  };
}
