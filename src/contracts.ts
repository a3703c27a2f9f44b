// The printed contracts: schema.graphql and openapi.yaml as text. Needs no database.
import { printSchema } from 'graphql';
import { allRoutes } from './app.js';
import { buildSchema } from './graphql/schema.js';
import { apiVersion } from './http/headers.js';
import { printOpenApi } from './http/openapi.js';
import type { Services } from './services.js';

/** File name → text. */
export function printContracts(): Record<'schema.graphql' | 'openapi.yaml', string> {
  // Routes name their services only inside handlers, which are not called here.
  const noServices = {} as Services;
  return {
    'schema.graphql': `${printSchema(buildSchema())}\n`,
    'openapi.yaml': printOpenApi(allRoutes(noServices), apiVersion),
  };
}
