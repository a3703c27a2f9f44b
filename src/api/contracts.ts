// Prints the contracts, schema.graphql and openapi.yaml, as text. Needs no database.
import { printSchema } from 'graphql';
import { apiVersion } from '../http/headers.js';
import { printOpenApi } from '../rest/openapi.js';
import { allRoutes, type RouteServices } from './routes.js';
import { buildSchema } from './schema.js';

/** File name → text. */
export function printContracts(): Record<'schema.graphql' | 'openapi.yaml', string> {
  // Routes name their services only inside handlers, which are not called here.
  const noServices = {} as RouteServices;
  return {
    'schema.graphql': `${printSchema(buildSchema())}\n`,
    'openapi.yaml': printOpenApi(allRoutes(noServices), apiVersion),
  };
}
