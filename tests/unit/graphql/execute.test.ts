// Planned operations give what the reference implementation gives: values, errors with their paths, and nulls that spread.
import { describe, expect, it } from '@jest/globals';
import {
  type DocumentNode,
  execute,
  type GraphQLError,
  getIntrospectionQuery,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import { executePlan } from '../../../src/graphql/execution/execute.js';
import { type Plan, planOperation } from '../../../src/graphql/execution/plan.js';
import type { GraphQLContext } from '../../../src/graphql/schema-kit/context.js';
import { order, schema } from './thing-schema.js';

const planned = (document: DocumentNode, values: Record<string, unknown> = {}) =>
  planOperation(schema, document, getOperationAST(document) as OperationDefinitionNode, values);

const all = 'name must number float colour names nested later mustLater';
const documents: [string, Record<string, unknown>?][] = [
  ['{ thing { __typename name must number float colour names nested } }'],
  [`{ thing { ${all} self { ${all} mustSelf { name } } } must { ${all} } }`],
  ['{ thing { selfLater { name must } } }'],
  ['{ thing { selfLater { name names } nothing { name } } }'],
  ['{ thing { mustNothing { name } } must { name } }'],
  ['{ must { mustNothing { name } } thing { name } }'],
  ['{ thing { bad name badLater } }'],
  ['{ thing { mustBad name } }'],
  ['{ thing { name later mustBad badLater } }'],
  ['{ thing { self { mustBadLater later } self2: self { name } } }'],
  ['{ must { mustBad } }'],
  ['{ must { mustSelf { must mustBadLater } } }'],
  ['{ thing { things { name must } } }'],
  ['{ thing { things { name number colour } mustThings { name number nested } } }'],
  ['{ thing { mustThings { mustBad } } must { thingsLater { mustLater names } } }'],
  ['{ thing { thingsLater { must } } }'],
  [
    '{ thing { name ...F ... on Named { name } ... on Thing { must } ... { number } } } fragment F on Thing { self { name } self { must } }',
  ],
  ['{ thing { self { name } self { self { must } } } thing { name } }'],
  [
    'query($t: String, $l: [Int!]) { thing { echo a: echo(text: "x") b: echo(text: $t, list: $l) c: echo(text: null, list: 5) } }',
    { t: 'v', l: [1, 2] },
  ],
  ['query($t: String = "d") { thing { echo(text: $t) } }'],
  ['query($t: String) { thing { echo(text: $t) } }'],
  ['query($n: Int) { list(of: $n) { name later self { name } } }', { n: 3 }],
  ['mutation { first second third }'],
  ['{ thing @skip(if: true) { name } }'],
  ['{ thing @include(if: true) @skip(if: false) { name @skip(if: true) must } }'],
  ['{ thing @include(if: true) @skip(if: true) { name } must { name @include(if: false) } }'],
  ['{ thing { ...F @include(if: false) ...F number } } fragment F on Thing { name later @skip(if: true) }'],
  ['{ thing { ... @skip(if: true) { name } ... on Named @include(if: true) { name } } }'],
  ['{ thing { name @skip(if: true) name mustBad @include(if: false) } }'],
  ...[true, false].flatMap((a): [string, Record<string, unknown>][] => [
    ['query($a: Boolean!) { thing { name @include(if: $a) must @skip(if: $a) } }', { a }],
    [
      'query($a: Boolean!) { thing { self @skip(if: $a) { name } self { must ...F @include(if: $a) } } } fragment F on Thing { number }',
      { a },
    ],
    ['mutation($a: Boolean!) { first second @skip(if: $a) third @include(if: $a) }', { a }],
  ]),
  [
    '{ thing { named { __typename name ... on Other { only self { must } } ... on Thing { must } } mustNamed { name } } }',
  ],
  [
    '{ thing { any { __typename ... on Thing { name number } ... on Other { only } } anyLater { ... on Named { name } } } }',
  ],
  ['{ thing { strange { __typename } name } }'],
  ['{ thing { self { mustStrange { __typename } name } } }'],
  ['{ thing { all { __typename ... on Thing { name bad } ... on Other { only name } } } }'],
  ['{ thing { mustAll { ... on Named { name } ... on Thing { mustBad } } name } }'],
  ['{ thing { other { only self { name } } } }'],
  [
    '{ __schema { queryType { name } types { kind name fields(includeDeprecated: true) { name args { name type { name ofType { name } } } } possibleTypes { name } } directives { name locations } } }',
  ],
  [
    'query($n: String!) { __type(name: $n) { name fields { name type { name kind } } } other: __type(name: "Nobody") { name } }',
    { n: 'Thing' },
  ],
  ['{ __typename thing { __typename } }'],
  [getIntrospectionQuery()],
  ['mutation { first fails third }'],
  [
    'mutation($n: String) { a: make(name: $n) { name } first b: make(name: $n) { name self { name } } }',
    { n: 'b' },
  ],
  [
    'mutation($n: String, $t: String) { a: make(name: $n) { echo(text: $t) } b: make(name: $n) { later echo(text: $t) } }',
    { n: 'b', t: 'v' },
  ],
];

describe('a planned operation', () => {
  it.each(documents)('gives what graphql-js gives: %s', async (text, variables = {}) => {
    const document = parse(text);
    const plan = planned(document, variables) as Plan;
    const context = {} as GraphQLContext;
    order.length = 0;
    const wanted = await execute({ schema, document, contextValue: context, variableValues: variables });
    const steps = order.splice(0);
    const declared = new Set(plan.operation.variableDefinitions?.map(({ variable }) => variable.name.value));
    const coerced = Object.fromEntries(Object.entries(variables).filter(([name]) => declared.has(name)));
    if (text.includes('= "d"')) coerced.t = 'd';
    const plain = ({ data, errors }: { data: unknown; errors?: readonly GraphQLError[] }) => ({
      data: JSON.parse(JSON.stringify(data)),
      errors: errors
        ?.map((error) => error.toJSON())
        .map(({ message, path, locations }) => ({
          message: message.replace(/^Expected .*|.*(resolved to|not a possible type).*/s, 'no value'),
          path,
          locations,
        }))
        .sort((a, b) => String(a.path).localeCompare(String(b.path))),
    });
    // The second time it is known which resolvers wait: those of a list's objects are asked for together then.
    for (let turn = 0; turn < 2; turn += 1) {
      const given = await executePlan(plan, context, coerced, () => false);
      expect(plain(given as never)).toEqual(plain(wanted as never));
      expect(order.splice(0)).toEqual(steps);
    }
  });

  it('is answered without a promise when no resolver gives one', () => {
    const plan = planned(parse('{ thing { name self { must } } }')) as Plan;
    expect(executePlan(plan, {} as GraphQLContext, {}, () => false)).toMatchObject({
      data: { thing: { name: 'a', self: { must: 'a' } } },
    });
  });

  it.each([
    ['subscription { changed { name self { must } later } }', { changed: { name: 'a', must: 'b' } }],
    ['subscription { changed { must name } }', { changed: { name: 'a' } }],
    ['subscription { bad { name } }', { bad: null }],
    ['{ thing { name } }', { name: 'not looked at' }],
  ])('takes the fields of its root from the root value: %s', async (text, rootValue) => {
    const document = parse(text);
    const wanted = await execute({ schema, document, rootValue });
    const given = await executePlan(
      planned(document) as Plan,
      {} as GraphQLContext,
      {},
      () => false,
      rootValue,
    );
    expect(JSON.parse(JSON.stringify(given))).toEqual(JSON.parse(JSON.stringify(wanted)));
  });

  it('stops once nobody waits for the answer', async () => {
    const plan = planned(parse('mutation { first second }')) as Plan;
    order.length = 0;
    const run = executePlan(plan, {} as GraphQLContext, {}, () => order.length > 1);
    await expect(run).rejects.toThrow('gone');
    expect(order).toEqual(['first begins', 'first ends']);
  });

  it.each([
    'query($a: Boolean = true) { thing { name @include(if: $a) } }',
    'query($n: Boolean) { thing @skip(if: $n) { name } }',
    '{ thing { __proto__: name } }',
    // few words, but a thousand fields
    `{ ${['a', 'b', 'c', 'd'].map((key) => `${key}: thing { ...F }`).join(' ')} } fragment F on Thing {
      ${Array.from({ length: 251 }, (_, n) => `f${n}: name`).join(' ')} }`,
  ])('is left to another executor: %s', (text) => {
    expect(planned(parse(text))).toBeUndefined();
  });
});
