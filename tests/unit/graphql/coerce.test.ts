// Variables of planned operations are what graphql-js makes of them, or not taken at all.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  buildSchema,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import { variablesOf } from '../../../src/graphql/execution/coerce-variables.js';

const schema = buildSchema(`
  enum Colour { RED GREEN }
  scalar Any
  input Inner { n: Int! = 3  list: [Int!]  colour: Colour = RED  any: Any }
  input Outer { id: ID!  text: String  inner: Inner  inners: [Inner!]  nested: [[Float]]  self: Outer  flag: Boolean = null }
  input One @oneOf { a: Int  b: String }
  type Query { x: Int }
`);
const operations = [
  'query($v: Int) { x }',
  'query($v: Int!) { x }',
  'query($v: Int = 7) { x }',
  'query($v: Float = null) { x }',
  'query($v: String!) { x }',
  'query($v: ID) { x }',
  'query($v: Boolean!) { x }',
  'query($v: Colour) { x }',
  'query($v: Any!) { x }',
  'query($v: [Int]) { x }',
  'query($v: [Int!]!) { x }',
  'query($v: [[Colour!]]) { x }',
  'query($v: Inner) { x }',
  'query($v: Outer!) { x }',
  'query($v: [Outer!] = [{ id: "a" }]) { x }',
  'query($v: One) { x }',
  'query($v: Int, $w: Outer) { x }',
];

const leaf = fc.constantFrom<unknown>(
  ...[null, 0, 1, -1, 1.5, 2 ** 31, -(2 ** 31), 1e300, true, false, '', 'a', '5', 'RED', 'BLUE'],
);
const names = [
  'id',
  'text',
  'inner',
  'inners',
  'nested',
  'self',
  'flag',
  'n',
  'list',
  'colour',
  'any',
  'a',
  'b',
  'no',
];
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
  ),
}));
const sound = fc.record(
  {
    id: fc.oneof(fc.string(), fc.integer({ min: -5, max: 5 })),
    text: fc.option(fc.string()),
    inner: fc.record({ n: fc.integer({ max: 9, min: 0 }), list: fc.array(fc.nat(5)) }, { requiredKeys: [] }),
    inners: fc.record({ colour: fc.constantFrom('RED', 'GREEN') }),
    nested: fc.array(fc.oneof(fc.nat(3), fc.constant(null))),
  },
  { requiredKeys: ['id'] },
);

const operationOf = (text: string) => getOperationAST(parse(text)) as OperationDefinitionNode;

describe.each(operations)('variables of %s', (text) => {
  const operation = operationOf(text);
  const convert = variablesOf(schema, operation) as NonNullable<ReturnType<typeof variablesOf>>;

  it('are what graphql-js makes of them, and nothing where it finds a fault', () => {
    const check = (given: Record<string, unknown>) => {
      const { coerced } = getVariableValues(schema, operation.variableDefinitions ?? [], given);
      // What is left to graphql-js loses nothing; what it refuses must never be taken.
      if (!text.includes('One)')) expect(convert(given)).toEqual(coerced);
      else if (coerced === undefined) expect(convert(given)).toBeUndefined();
    };
    for (const given of [{}, { v: null }, { w: 1 }]) check(given);
    fc.assert(
      fc.property(fc.oneof(value, sound), (v) => check({ v })),
      { numRuns: 200 },
    );
  });
});

it('takes no property that is not an object’s own, and no key that leads to its prototype', () => {
  const convert = variablesOf(schema, operationOf('query($v: Outer, $toString: Int) { x }'));
  expect(convert?.({ v: JSON.parse('{"id":"a","__proto__":{"text":"x"}}') })).toBeUndefined();
  expect(convert?.({})).toEqual({});
});

it('has no conversion for what is no input', () => {
  expect(variablesOf(schema, operationOf('query($v: Query) { x }'))).toBeUndefined();
  expect(variablesOf(schema, operationOf('query($v: Nothing) { x }'))).toBeUndefined();
});
