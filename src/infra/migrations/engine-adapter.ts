// Prisma's adapter for its schema engine, with two corrections: scripts are sent whole or in marked steps, and "char" columns are read.
import { PrismaPg } from '@prisma/adapter-pg';
import {
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { runScript } from './steps.js';

const CHAR_OID = 18;
const TEXT_OID = 25;

/**
 * A pool that presents the catalogue's "char" columns as text, because Prisma's adapter refuses the type and the engine reads
 * such columns to describe a database. A class, because the adapter accepts only a `pg.Pool`.
 */
export class CatalogPool extends pg.Pool {
  private readonly charColumns = new WeakMap<object, number[]>();

  /** Indexes of the "char" columns of a result, by its rows. */
  charColumnsOf(rows: object): readonly number[] {
    return this.charColumns.get(rows) ?? [];
  }

  /** Serves the adapter, which sends one configuration at a time. One signature cannot express pg's overloads, hence `never`. */
  override query(statement: unknown): never {
    return this.queryCatalog(statement as pg.QueryArrayConfig) as never; // as above
  }

  private async queryCatalog(statement: pg.QueryArrayConfig): Promise<pg.QueryArrayResult> {
    const client = await this.connect();
    try {
      const result = await client.query(statement);
      const columns = (result.fields ?? []).flatMap(({ dataTypeID }, index) =>
        dataTypeID === CHAR_OID ? [index] : [],
      );
      for (const column of columns) Object.assign(result.fields[column] ?? {}, { dataTypeID: TEXT_OID });
      if (columns.length > 0) this.charColumns.set(result.rows, columns);
      return result;
    } finally {
      client.release();
    }
  }
}

/**
 * The adapter factory of the engine. Prisma's own adapter cuts scripts at every semicolon, also within strings, comments and
 * function bodies, and runs them piece by piece. Sent whole, as by Prisma's native engine, a script succeeds or fails as one; {@link runScript}
 * takes scripts that are marked to run in steps.
 */
export function engineAdapterFactory(pool: CatalogPool): SqlMigrationAwareDriverAdapterFactory {
  const prisma = new PrismaPg(pool);
  const connect = async () => correctedAdapter(await prisma.connect(), pool);
  return {
    provider: prisma.provider,
    adapterName: prisma.adapterName,
    connect,
    connectToShadowDb: connect, // withSchemaEngine gets an empty database for it
  };
}

function correctedAdapter(adapter: SqlDriverAdapter, pool: CatalogPool): SqlDriverAdapter {
  return {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    executeRaw: (query) => adapter.executeRaw(query),
    startTransaction: (isolationLevel) => adapter.startTransaction(isolationLevel),
    getConnectionInfo: () => adapter.getConnectionInfo?.() ?? { supportsRelationJoins: true },
    dispose: () => adapter.dispose(),
    async queryRaw(query) {
      const result = await adapter.queryRaw(query);
      for (const column of pool.charColumnsOf(result.rows))
        result.columnTypes[column] = ColumnTypeEnum.Character;
      return result;
    },
    async executeScript(script) {
      const client = await pool.connect();
      try {
        await runScript(client, script);
      } catch (error) {
        throw toAdapterError(error as pg.DatabaseError);
      } finally {
        client.release();
      }
    },
  };
}

function toAdapterError(error: pg.DatabaseError): unknown {
  const { code, severity, message, detail, column, hint } = error;
  if (!code || !severity) return error;
  return new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
}
