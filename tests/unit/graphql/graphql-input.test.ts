/**
 * zod shapes as GraphQL inputs: what converts to what, and that the rest is refused when the schema is built.
 * @own-modules it adds fields to the schema
 */
import { describe, expect, it } from '@jest/globals';
import { GraphQLInputObjectType } from 'graphql';
import { z } from 'zod';
import { buildSchema } from '../../../src/api/schema.js';
import { builder } from '../../../src/graphql/schema-kit/builder.js';
import { inputArg, simpleArg } from '../../../src/graphql/schema-kit/zod-inputs.js';
import { int, line } from '../../../src/validation/fields.js';

let field = 0;
/** Adds a root field whose argument is made from the shape; the converter runs when the schema is built. */
function take(shape: z.ZodType): void {
  field += 1;
  builder.queryField(`probe${field}`, (t) =>
    t.string({
      authScopes: { can: 'profile:read' },
      args: { value: simpleArg(t.arg, shape) },
      resolve: () => '',
    }),
  );
}

describe('a zod shape as a GraphQL input', () => {
  it('becomes fields of the right types, nullable where it may be left out, described', () => {
    const shape = z
      .strictObject({
        text: line(1, 3).describe('Some text.'),
        count: int(0, 9).nullish(),
        ratio: z.number().optional(),
        isOn: z.boolean().default(true).optional(),
        names: z.array(line(1, 3)).max(2),
        nested: z.strictObject({ deep: z.string() }).meta({ graphql: 'ProbeNestedInput' }).nullable(),
      })
      .describe('A probe.');
    builder.queryField('probe', (t) =>
      t.string({
        authScopes: { can: 'profile:read' },
        args: { input: inputArg(t.arg, 'ProbeInput', shape.omit({ isOn: true })) },
        resolve: () => '',
      }),
    );
    const type = buildSchema().getType('ProbeInput') as GraphQLInputObjectType;
    expect(type).toBeInstanceOf(GraphQLInputObjectType);
    const fields = Object.values(type.getFields());
    expect(fields.map(({ name, type: of }) => `${name}: ${of}`).sort()).toEqual([
      ...['count: Int', 'names: [String!]!', 'nested: ProbeNestedInput', 'ratio: Float', 'text: String!'],
    ]);
    expect(fields.find(({ name }) => name === 'text')?.description).toBe('Some text.');
  });

  it.each([
    ['date', z.date()],
    ['record', z.record(z.string(), z.string())],
    ['union', z.union([z.string(), z.number()])],
    ['any', z.any()],
  ])('is refused with its kind when GraphQL has no input for it: %s', (kind, shape) => {
    expect(() => {
      take(shape);
      buildSchema();
    }).toThrow(`GraphQL has no input for zod's ${kind}`);
  });
});
