// A named statement whose result PostgreSQL describes once per connection, not with every answer. On pg's connections.
import type { Socket } from 'node:net';
import pg from 'pg';

/** What is sent. A name stands for one text, always. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

/** Told of the rows, or of why there are none. */
export type OnRows = (error: Error | null, rows: unknown[]) => void;

/** How the rows of a statement are read. */
interface Shape {
  names: string[];
  parsers: ((text: string) => unknown)[];
  empty: Record<string, unknown>;
}

/** What pg's query stands on, and what its other custom queries (pg-cursor, pg-query-stream) override. */
interface Connection {
  describe(message: object): void;
}
interface PgQuery {
  name: string;
  callback: OnRows;
  _result: { _parsers: Shape['parsers']; _prebuiltEmptyResultObject: Shape['empty'] };
  prepare(connection: Connection): void;
  handleRowDescription(message: { fields: { name: string }[] }): void;
  handleDataRow(message: { fields: (string | null)[] }): void;
  handleCommandComplete(): void;
  handleReadyForQuery(connection: Connection): void;
}
const PgQuery = pg.Query as unknown as new (text: string, values: unknown[], done: OnRows) => PgQuery;

/** What a connection was told of its statements, and the connection as it looks without a way to ask for more. */
interface Told {
  shapes: Map<string, Shape>;
  mute: Connection;
}
const told = new WeakMap<Connection, Told>();

function toldTo(connection: Connection): Told {
  let known = told.get(connection);
  if (known === undefined) {
    const mute = Object.create(connection, { describe: { value: () => {} } }) as Connection;
    known = { shapes: new Map(), mute };
    told.set(connection, known);
  }
  return known;
}

// A class, as a shared connection takes no query but pg's own and its subclasses.
class KeptStatement extends PgQuery {
  private shapes: Told['shapes'] | undefined;
  private shape: Shape | undefined;
  private readonly found: unknown[] = [];

  constructor({ name, text, values }: Statement, done: OnRows) {
    super(text, values, done);
    this.name = name;
  }

  override prepare(connection: Connection): void {
    const { shapes, mute } = toldTo(connection);
    this.shapes = shapes;
    this.shape = shapes.get(this.name);
    super.prepare(this.shape === undefined ? connection : mute);
  }

  override handleRowDescription(message: { fields: { name: string }[] }): void {
    super.handleRowDescription(message);
    const { _parsers: parsers, _prebuiltEmptyResultObject: empty } = this._result;
    this.shape = { names: message.fields.map(({ name }) => name), parsers, empty };
    this.shapes?.set(this.name, this.shape);
  }

  override handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const { names, parsers, empty } = this.shape as Shape;
    const row = { ...empty };
    for (let index = 0; index < fields.length; index += 1) {
      const text = fields[index] as string | null;
      if (text !== null) row[names[index] as string] = (parsers[index] as Shape['parsers'][number])(text);
    }
    this.found.push(row);
  }

  override handleCommandComplete(): void {}

  override handleReadyForQuery(): void {
    this.callback(null, this.found);
  }
}

/** Sends what is written meanwhile together, in one system call; @returns what ends that */
export function holdWrites(client: pg.ClientBase): () => void {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.cork();
  return () => stream.uncork();
}

/** Runs a statement on a connection; calls back once, in no request's context. */
export function runStatement(client: pg.ClientBase, statement: Statement, done: OnRows): void {
  client.query(new KeptStatement(statement, done) as unknown as pg.Submittable);
}
