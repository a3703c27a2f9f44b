// Random operations give the same through the plan cache as through graphql-js: data, and whether there are errors.
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execute, parse, validate } from 'graphql';
import { executePlan } from '../../../src/graphql/execution/execute.js';
import { createPlanCache } from '../../../src/graphql/execution/plan-cache.js';
import type { GraphQLContext } from '../../../src/graphql/schema-kit/context.js';
import { schema } from './thing-schema.js';

/** 500 of a fixed seed by default; EXECUTOR_RUNS=10000 draws others. */
const numRuns = Number(process.env.EXECUTOR_RUNS ?? 500);

/**
 * Set while graphql-js runs and in all that it waits for. It leaves the rejection of a list's item unhandled when another item
 * throws, which would fail the test; those of the plans do fail it.
 */
const inGraphqlJs = new AsyncLocalStorage<true>();
const { then } = Promise.prototype;
const handlingRejections: typeof then = function (this: Promise<unknown>, ...callbacks) {
  const derived = then.apply(this, callbacks as Parameters<typeof then>);
  if (inGraphqlJs.getStore()) then.call(derived, undefined, () => {});
  return derived as never;
};
const usePromise = (value: typeof then) =>
  Object.defineProperty(Promise.prototype, 'then', { value, configurable: true, writable: true });
beforeAll(() => void usePromise(handlingRejections));
afterAll(() => void usePromise(then));

const leaves =
  'name must number float colour later mustLater bad mustBad badLater mustBadLater names nested __typename'.split(
    ' ',
  );
const objects = 'self mustSelf selfLater nothing mustNothing things mustThings thingsLater'.split(' ');
const abstract = 'named mustNamed any anyLater strange mustStrange all mustAll'.split(' ');
const echoes = [
  '',
  '(text: "x")',
  '(text: null)',
  '(text: $t)',
  '(text: $d)',
  '(list: [1, 2])',
  '(list: $l)',
  '(text: $t, list: 5)',
];

const condition = fc.constantFrom('true', 'false', '$a', '$b');
const directive = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: condition.map((value) => ` @skip(if: ${value})`) },
  { weight: 2, arbitrary: condition.map((value) => ` @include(if: ${value})`) },
  {
    weight: 1,
    arbitrary: fc.tuple(condition, condition).map(([a, b]) => ` @include(if: ${a}) @skip(if: ${b})`),
  },
);
const { selections } = fc.letrec<{ selections: string; selection: string }>((tie) => ({
  selections: fc
    .array(tie('selection'), { minLength: 1, maxLength: 4, depthIdentifier: 'd' })
    .map((all) => `{ ${all.join(' ')} }`),
  selection: fc.oneof(
    { depthSize: 'small', depthIdentifier: 'd' },
    { weight: 5, arbitrary: fc.tuple(fc.constantFrom(...leaves), directive).map((parts) => parts.join('')) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(echoes.length - 1), directive)
        .map(([n, on]) => `e${n}: echo${echoes[n]}${on}`),
    },
    { weight: 1, arbitrary: directive.map((on) => `...F${on}`) },
    { weight: 1, arbitrary: directive.map((on) => `...N${on}`) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom(...objects), directive, tie('selections'))
        .map(([name, on, inner]) => `${name}${on} ${inner}`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('...', '... on Thing'), directive, tie('selections'))
        .map(([name, on, inner]) => `${name}${on} ${inner}`),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom(...abstract), directive, tie('selections'))
        .map(
          ([name, on, inner]) =>
            `${name}${on} { __typename ... on Thing ${inner} ... on Other { only n2: name } ...N }`,
        ),
    },
  ),
}));
const root = fc
  .tuple(fc.constantFrom('thing', 'must', 'list', 'list(of: $n)', 'list(of: 0)'), directive, selections)
  .map(([name, on, inner]) => ({ name, on, inner }));
const fragments = fc
  .array(fc.constantFrom(...leaves), { minLength: 1, maxLength: 3 })
  .map((names) => `fragment F on Thing { ${names.join(' ')} self { must } } fragment N on Named { name }`);
const text = fc
  .tuple(fc.array(root, { minLength: 1, maxLength: 3 }), fragments)
  .map(
    ([roots, rest]) =>
      `query($a: Boolean!, $b: Boolean! = true, $t: String, $d: String = "d", $l: [Int!], $n: Int = 3) { ${roots
        .map(({ name, on, inner }, index) => `r${index}: ${name}${on} ${inner}`)
        .join(' ')} } ${rest}`,
  );
const variables = fc.record(
  {
    a: fc.boolean(),
    b: fc.boolean(),
    t: fc.option(fc.string()),
    d: fc.option(fc.string()),
    l: fc.option(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 3 })),
    n: fc.option(fc.integer({ min: 0, max: 4 })),
  },
  { requiredKeys: ['a'] },
);

/** Unused variables and fragments do not matter to execution. */
const ignored = /is never used/;

/** The second item throws while the first one's rejection is still to come. */
const itemsThatFail = '{ must { thingsLater { must mustBadLater } } }';

it('gives for random operations what graphql-js gives', async () => {
  const plans = createPlanCache(schema);
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(text, variables, async (query, given) => {
      const document = parse(query);
      if (validate(schema, document).some(({ message }) => !ignored.test(message))) return;
      const wanted = await inGraphqlJs.run(true, () => execute({ schema, document, variableValues: given }));
      const context = {} as GraphQLContext;
      // The second time the plan knows which resolvers wait.
      for (let turn = 0; turn < 2; turn += 1) {
        const planned = plans.planFor(document, null, given);
        if (planned === undefined) throw new Error('There is no plan.');
        const result = await executePlan(planned.plan, context, planned.variables, () => false);
        expect(JSON.parse(JSON.stringify(result.data))).toEqual(JSON.parse(JSON.stringify(wanted.data)));
        expect(result.errors === undefined).toBe(wanted.errors === undefined);
      }
      compared += 1;
    }),
    {
      numRuns,
      examples: [[itemsThatFail, { a: true }]],
      ...(process.env.EXECUTOR_RUNS === undefined && { seed: 7 }),
    },
  );
  expect(compared).toBeGreaterThan(numRuns / 2);
}, 240_000);
