// Prisma's schema engine as WebAssembly, so that nothing is downloaded; what it is used for is in migrate.ts.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  bindMigrationAwareSqlAdapterFactory,
  ColumnTypeEnum,
  DriverAdapterError,
} from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

const MODULE = '@prisma/schema-engine-wasm/schema_engine_bg';
const CHAR_OID = 18;
const TEXT_OID = 25;

// Node has it; its types come with the browser's, which have no place here.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** A file of Prisma's schema language. */
export interface SchemaFile {
  path: string;
  content: string;
}

/**
 * Runs work with an engine on one database, and lets go of both afterwards.
 * @param databaseUrl the database; a difference replays the migrations in it too, so give an empty one then
 */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  schema: SchemaFile,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  let panic = '';
  // Where the engine leaves its last words, by its own convention.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: { set_message: (words: string) => (panic = words) },
  });
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  pool.on('error', () => undefined);
  try {
    const create = await loadEngine();
    const factory = bindMigrationAwareSqlAdapterFactory(adapterFactory(pool));
    const engine = await create({ datamodels: [[schema.path, schema.content]] }, () => undefined, factory);
    try {
      return await work(engine);
    } finally {
      engine.free();
    }
  } catch (error) {
    if (panic) throw new Error(`Prisma's schema engine failed: ${panic}`, { cause: error });
    throw withoutTrace(error);
  } finally {
    await pool.end();
  }
}

/** The engine appends a trace of its own functions to what it says. */
function withoutTrace(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return new Error(error.message.split(/\n\s+0: /)[0]?.trim(), { cause: error });
}

let loading: Promise<typeof SchemaEngine.new> | undefined;

/** Once per process: the module keeps the one instance it was given. */
function loadEngine(): Promise<typeof SchemaEngine.new> {
  loading ??= instantiateEngine();
  return loading;
}

async function instantiateEngine(): Promise<typeof SchemaEngine.new> {
  const glue = (await import(MODULE)) as typeof import('@prisma/schema-engine-wasm/schema_engine_bg');
  const file = createRequire(import.meta.url)
    .resolve(MODULE)
    .replace(/\.js$/, '.wasm');
  const imports: Record<string, unknown> = { ...glue };
  for (const name of Object.keys(imports)) {
    // Its limit on waiting for a lock runs on after the lock was got, and would hold this process for 10 s.
    if (name.startsWith('__wbg_setTimeout_')) imports[name] = unreferencedTimeout;
  }
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    './schema_engine_bg.js': imports,
  });
  glue.__wbg_set_wasm(instance.exports);
  (instance.exports.__wbindgen_start as () => void)();
  return glue.SchemaEngine.new;
}

function unreferencedTimeout(callback: () => void, delayMs: number): NodeJS.Timeout {
  return setTimeout(callback, delayMs).unref();
}

/**
 * Prisma's adapter with two corrections. It cuts scripts at every semicolon, even within strings, comments
 * and function bodies, and runs them piece by piece; sent whole, as by Prisma's native engine, a script
 * succeeds or fails as one. And it does not know the catalogue's "char" columns, which describing needs.
 */
function adapterFactory(pool: pg.Pool): PrismaPg {
  const factory = new PrismaPg(pool);
  const connectOnce = factory.connect.bind(factory);
  const charColumns = noteCharColumns(pool);
  const connect: PrismaPg['connect'] = async () => {
    const adapter = await connectOnce();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (query) => {
      const result = await queryRaw(query);
      for (const column of charColumns.get(result.rows) ?? []) {
        result.columnTypes[column] = ColumnTypeEnum.Character;
      }
      return result;
    };
    adapter.executeScript = async (script) => {
      await pool.query(script).catch((error: pg.DatabaseError) => {
        throw asAdapterError(error);
      });
    };
    return adapter;
  };
  // The shadow database, when the engine wants one, is the empty one it was given.
  return Object.assign(factory, { connect, connectToShadowDb: connect });
}

/** Lets "char" columns pass the adapter as text, and tells by a result's rows which columns they were. */
function noteCharColumns(pool: pg.Pool): WeakMap<object, number[]> {
  const noted = new WeakMap<object, number[]>();
  const send = pool.query.bind(pool) as (...args: unknown[]) => Promise<pg.QueryArrayResult>;
  const query = async (...args: unknown[]): Promise<pg.QueryArrayResult> => {
    const result = await send(...args);
    const columns = (result.fields ?? []).flatMap(({ dataTypeID }, index) =>
      dataTypeID === CHAR_OID ? [index] : [],
    );
    for (const column of columns) Object.assign(result.fields[column] ?? {}, { dataTypeID: TEXT_OID });
    if (columns.length > 0) noted.set(result.rows, columns);
    return result;
  };
  Object.assign(pool, { query });
  return noted;
}

function asAdapterError(error: pg.DatabaseError): unknown {
  const { code, severity, message, detail, column, hint } = error;
  if (!code || !severity) return error;
  return new DriverAdapterError({ kind: 'postgres', code, severity, message, detail, column, hint });
}
