// A schema for tests of the executor, with resolvers that succeed, wait, fail and return invalid values.
import { buildSchema } from 'graphql';

/** Things with values of each kind: plain, late, missing, wrong and failing. */
export const schema = buildSchema(`
  interface Named { name: String }
  enum Colour { RED GREEN }
  union Any = Thing | Other
  type Other implements Named { name: String  only: Int  self: Thing }
  type Thing implements Named {
    name: String  must: String!  number: Int  float: Float!  colour: Colour  later: String  mustLater: String!
    bad: String  mustBad: String!  badLater: String  mustBadLater: String!
    self: Thing  mustSelf: Thing!  selfLater: Thing  nothing: Thing  mustNothing: Thing!
    named: Named  mustNamed: Named!  any: Any  anyLater: Any  strange: Any  mustStrange: Any!  all: [Any]  mustAll: [Any!]!  other: Other
    things: [Thing]  mustThings: [Thing!]!  thingsLater: [Thing!]  names: [String!]  nested: [[Int!]]
    echo(text: String = "none", list: [Int!]): String
  }
  type Query { thing: Thing  must: Thing!  list(of: Int): [Thing!] }
  type Subscription { changed: Thing  bad: Thing! }
  type Mutation { first: Int  second: Int  fails: Int!  third: Int  make(name: String): Thing }
`);

const boom = () => {
  throw new Error('boom');
};
const later = <T>(value: T) => new Promise<T>((resolve) => setTimeout(resolve, 1, value));
/** Steps of mutations, in the order of their happening. */
export const order: string[] = [];
const note = (name: string, value: number) => async () => {
  order.push(`${name} begins`);
  await later(0);
  order.push(`${name} ends`);
  return value;
};

/** A thing as the default resolvers take it: properties, functions and promises. */
function thing(name: string | null = 'a'): Record<string, unknown> {
  return {
    name,
    must: name,
    number: name === 'bad' ? 'x' : 7,
    float: 1.5,
    colour: name === 'bad' ? 'BLUE' : 'RED',
    names: name === null ? ['a', null] : name === 'bad' ? ['a', { no: 'text' }] : ['a', 'b'],
    nested: [[1, 2], null, [3, name === 'bad' ? null : 4]],
  };
}
const named = (__typename: string, name?: string) => ({ ...thing(name), only: 5, __typename });
const methods: Record<string, (source: object, args: Record<string, unknown>) => unknown> = {
  later: () => later('late'),
  mustLater: () => later('late'),
  bad: boom,
  mustBad: boom,
  badLater: () => later(0).then(boom),
  mustBadLater: () => later(0).then(boom),
  self: () => thing(),
  mustSelf: () => thing('bad'),
  selfLater: () => later(thing(null)),
  nothing: () => null,
  named: () => named('Other'),
  mustNamed: () => later(named('Thing')),
  any: () => named('Thing', 'bad'),
  anyLater: () => later(named('Other')),
  strange: () => named('Nobody'),
  mustStrange: () => named('Query'),
  all: () => [
    named('Thing'),
    named('Other'),
    null,
    later(named('Other')),
    named('Nobody'),
    new Error('an item'),
  ],
  mustAll: () => [named('Other'), named('Thing')],
  other: () => named('Other'),
  mustNothing: () => undefined,
  things: () => [thing(), null, new Error('an item'), later(thing(null)), thing('bad')],
  mustThings: () => [thing(), thing('bad')],
  thingsLater: () => later([thing(), thing(null)]),
  echo: (_source, args) => JSON.stringify(args),
};
const resolvers: Record<string, Record<string, unknown>> = {
  Query: {
    thing: () => thing(),
    must: () => later(thing()),
    list: (_root: unknown, { of }: { of?: number }) => Array.from({ length: of ?? 2 }, () => thing()),
  },
  Mutation: {
    ...{ first: note('first', 1), second: note('second', 2), fails: boom, third: note('third', 3) },
    make: (_root: unknown, { name }: { name?: string }) => later(thing(name)),
  },
  Thing: methods,
};
for (const [type, fields] of Object.entries(resolvers))
  for (const [name, resolve] of Object.entries(fields))
    Object.assign(
      (schema.getType(type) as never as { getFields: () => Record<string, object> }).getFields()[
        name
      ] as object,
      {
        resolve,
      },
    );
// The types of a union say themselves whether a value is theirs, at once or later; an interface has no word in it.
const types = schema.getTypeMap() as Record<string, { isTypeOf?: unknown; resolveType?: unknown }>;
Object.assign(types.Other as object, { isTypeOf: (value: { only?: number }) => later(value.only === 5) });
Object.assign(types.Any as object, {
  resolveType: ({ __typename }: { __typename: string }) => later(__typename),
});
