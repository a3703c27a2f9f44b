// The start refuses a Pothos that the executor does not know, since plans would skip what it puts around a field.
import { expect, it } from '@jest/globals';
import { GraphQLObjectType, GraphQLString } from 'graphql';
import { buildSchema } from '../../../src/api/schema.js';
import { ruleOf } from '../../../src/graphql/execution/pothos-field.js';
import { builder } from '../../../src/graphql/schema-kit/builder.js';

it('refuses to build the schema with a plugin that the executor does not know', () => {
  const plugins = builder.options.plugins as string[];
  plugins.push('directives');
  try {
    expect(() => buildSchema()).toThrow('does not know the Pothos plugins directives');
  } finally {
    plugins.pop();
  }
});

/** A field as Pothos makes it, with one argument that has a zod shape. */
function validatedField(extensions: Record<string, unknown>) {
  const args = { name: { type: GraphQLString, extensions: { '@pothos/plugin-validation': {} } } };
  const type = new GraphQLObjectType({
    name: 'Thing',
    extensions: { pothosOptions: {} },
    fields: { echo: { type: GraphQLString, args, extensions } },
  });
  return ruleOf(type, type.getFields().echo as never);
}
const resolve = () => 'x';

it('refuses a validated argument without the argument mappers that check it', () => {
  const extensions = { pothosOptions: {}, pothosConfig: { resolve } };
  expect(() => validatedField(extensions)).toThrow('argument mappers');
  expect(validatedField({ ...extensions, pothosArgMappers: [] })).toMatchObject({ resolve });
});

it.each([
  ['scopes other than one permission', { authScopes: { can: 'user:read', public: true } }],
  ['a function of scopes', { authScopes: () => true }],
  ['granted scopes', { grantScopes: ['a'] }],
  ['skipped scopes of its type', { skipTypeScopes: true }],
])('leaves a field with %s to Pothos', (_what, pothosOptions) => {
  const extensions = { pothosOptions, pothosConfig: { resolve }, pothosArgMappers: [] };
  expect(validatedField(extensions)).toBeUndefined();
});
