// Runs Prisma's schema engine as WebAssembly, so that nothing is downloaded. migrate.ts uses it.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import { clientConfig } from '../postgres/connection/open.js';
import { settleSession } from '../postgres/connection/settings.js';
import { targetOf } from '../postgres/connection/target.js';
import { CatalogPool, engineAdapterFactory } from './engine-adapter.js';

const MODULE = '@prisma/schema-engine-wasm/schema_engine_bg';

// Node provides it; its types come with the DOM's, which do not belong here.
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

/** A file in Prisma's schema language. */
export interface SchemaFile {
  path: string;
  content: string;
}

/**
 * Runs work with an engine on one database, and releases both afterwards.
 * @param databaseUrl the database; to compute a difference the engine replays the migrations in it, so it must be empty then
 * @throws Error with the engine's message
 */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  schema: SchemaFile,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  let panic = '';
  // The engine's own convention for its last message.
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: {
      set_message: (message: string) => {
        panic = message;
      },
    },
  });
  const target = targetOf(databaseUrl);
  const needs = { statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 };
  const pool = new CatalogPool({
    ...clientConfig(target, needs, 'sec-tester-api migrate'),
    max: 2,
    onConnect: (client) => settleSession(client, target, needs, 10_000),
  });
  pool.on('error', () => undefined);
  try {
    const create = await loadEngine();
    const factory = bindMigrationAwareSqlAdapterFactory(engineAdapterFactory(pool));
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

/** Cuts off the trace of its own functions that the engine appends to a message. */
function withoutTrace(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return new Error(error.message.split(/\n\s+0: /)[0]?.trim(), { cause: error });
}

let loading: Promise<typeof SchemaEngine.new> | undefined;

/** Loads it once per process: the module keeps the one instance that it is given. */
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
    // Its timer for a lock runs on after the lock is acquired, and would hold this process for 10 s.
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
