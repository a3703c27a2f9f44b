// The Pothos builder: plugins, scalars, access rules and error conversion. It imports no feature.
import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin, { type AuthFailure } from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import { GraphQLError, Kind, type ValueNode } from 'graphql';
import { validationFailed } from '../../core/errors.js';
import { can, denialOf, type Permission, permissionNames } from '../../core/permissions.js';
import type PrismaTypes from '../../generated/pothos-types.js';
import { getDatamodel } from '../../generated/pothos-types.js';
import { toFieldErrors } from '../../validation/fields.js';
import { authorizeFirstPlugin } from './authorize-first.plugin.js';
import type { GraphQLContext } from './context.js';

interface BuilderTypes {
  Context: GraphQLContext;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date | string };
    JSON: { Input: unknown; Output: unknown };
  };
  AuthScopes: {
    /** Holds the permission. */
    can: Permission;
    /** Open to everybody; said explicitly, as the default is no. */
    public: boolean;
  };
}

/**
 * The plugins that the executor knows (execution/pothos-field.ts). It runs permission, argument mappers and resolver by
 * itself, so it would pass by what any other plugin puts around a field: api/schema.ts refuses to start with one.
 */
export const knownPlugins = ['authorizeFirst', 'scopeAuth', 'validation', 'relay', 'prisma'] as const;

/** The permission that the viewer lacks: Pothos nests the failures of combined scopes. */
function missingIn(failure: AuthFailure): Permission | undefined {
  if ('failures' in failure) return failure.failures.map(missingIn).find((name) => name !== undefined);
  if (!('parameter' in failure)) return undefined;
  return permissionNames.find((name) => name === failure.parameter);
}

/** The builder of the schema. */
export const builder = new SchemaBuilder<BuilderTypes>({
  plugins: [authorizeFirstPlugin, ScopeAuthPlugin, ValidationPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => ({ can: (permission) => can(viewer, permission), public: true }),
    unauthorizedError: (_parent, { viewer }, _info, { failure }) => denialOf(viewer, missingIn(failure)),
  },
  validation: {
    validationError: ({ issues }) =>
      validationFailed(toFieldErrors(issues as Parameters<typeof toFieldErrors>[0])),
  },
  relay: {
    cursorType: 'String',
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'An object with an id that is unique across all types.' },
    idFieldOptions: { description: 'Opaque and unique across all types; the same in REST.' },
    pageInfoTypeOptions: { description: 'Position of a page in its list (Relay).' },
    hasNextPageFieldOptions: { description: 'Whether entries follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether entries precede this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first entry; null for an empty page.' },
    endCursorFieldOptions: {
      description: 'Cursor of the last entry; give it as `after` to get the next page.',
    },
  },
  prisma: {
    client: ({ prisma }) => prisma,
    dmmf: getDatamodel(),
    exposeDescriptions: false,
  },
});

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Date itself makes the 2nd of March of a 30th of February. */
function isDay(text: string): boolean {
  const midnight = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text.slice(0, 10));
}

function parseDateTime(value: unknown, node?: ValueNode): Date {
  const date = typeof value === 'string' && rfc3339.test(value) && isDay(value) ? new Date(value) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) {
    const message = 'DateTime must be RFC 3339, for example 2026-01-31T09:30:00Z';
    throw new GraphQLError(message, { ...(node !== undefined && { nodes: node }) });
  }
  return date;
}

builder.scalarType('DateTime', {
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  description: 'A moment: RFC 3339, UTC, with milliseconds, for example 2026-01-31T09:30:00.000Z.',
  serialize: (value) => (typeof value === 'string' ? value : value.toISOString()),
  parseValue: (value) => parseDateTime(value),
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : undefined, node),
});

builder.scalarType('JSON', {
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
});

builder.queryType({ description: 'Reading.' });
builder.mutationType({
  description: 'Changes. Each mutation is one transaction: all of it happens, or nothing.',
});
