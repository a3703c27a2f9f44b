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

/** Makes a row of its values' texts. */
type MakeRow = (fields: (string | null)[]) => unknown;
type Parser = (text: string) => unknown;

/** What pg's query stands on, and what its other custom queries (pg-cursor, pg-query-stream) override. */
interface Connection {
  describe(message: object): void;
}
interface Column {
  name: string;
  dataTypeID: number;
}
interface PgQuery {
  name: string;
  callback: OnRows;
  _result: { _parsers: Parser[] };
  prepare(connection: Connection): void;
  handleRowDescription(message: { fields: Column[] }): void;
  handleDataRow(message: { fields: (string | null)[] }): void;
  handleCommandComplete(): void;
  handleReadyForQuery(connection: Connection): void;
}
const PgQuery = pg.Query as unknown as new (text: string, values: unknown[], done: OnRows) => PgQuery;

/** What a connection was told of its statements, and the connection as it looks without a way to ask for more. */
interface Told {
  makers: Map<string, MakeRow>;
  mute: Connection;
}
const told = new WeakMap<Connection, Told>();

function toldTo(connection: Connection): Told {
  let known = told.get(connection);
  if (known === undefined) {
    const mute = Object.create(connection, { describe: { value: () => {} } }) as Connection;
    known = { makers: new Map(), mute };
    told.set(connection, known);
  }
  return known;
}

// A class, as a shared connection takes no query but pg's own and its subclasses.
class KeptStatement extends PgQuery {
  private makers: Told['makers'] | undefined;
  private make: MakeRow | undefined;
  private readonly found: unknown[] = [];

  constructor({ name, text, values }: Statement, done: OnRows) {
    super(text, values, done);
    this.name = name;
  }

  override prepare(connection: Connection): void {
    const { makers, mute } = toldTo(connection);
    this.makers = makers;
    this.make = makers.get(this.name);
    super.prepare(this.make === undefined ? connection : mute);
  }

  override handleRowDescription(message: { fields: Column[] }): void {
    super.handleRowDescription(message);
    this.make = makerOf(message.fields, this._result._parsers);
    this.makers?.set(this.name, this.make);
  }

  override handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.found.push((this.make as MakeRow)(fields));
  }

  override handleCommandComplete(): void {}

  override handleReadyForQuery(): void {
    this.callback(null, this.found);
  }
}

/** As many as there are statements, and the same on every connection. */
const madeFor = new Map<string, MakeRow>();
const asItIs = pg.types.getTypeParser(25); // text

/**
 * Compiles what makes a row: an object whose keys V8 knows is made at once, not key by key. The keys are those of the
 * program's own statements.
 */
function makerOf(columns: readonly Column[], parsers: readonly Parser[]): MakeRow {
  const kind = JSON.stringify(columns.map(({ name, dataTypeID }) => [name, dataTypeID]));
  let make = madeFor.get(kind);
  if (make === undefined) {
    const entries = columns.map(({ name }, index) => {
      const value = parsers[index] === asItIs ? '' : ` === null ? null : parse${index}(fields[${index}])`;
      return `${JSON.stringify(name)}: fields[${index}]${value}`;
    });
    const names = parsers.map((_parser, index) => `parse${index}`);
    make = new Function(...names, `return (fields) => ({ ${entries.join(', ')} })`)(...parsers) as MakeRow;
    madeFor.set(kind, make);
  }
  return make;
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
