// Random documents over the product's own schema get from its executor what graphql-js gives, over HTTP.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { buildSchema } from '../../../src/api/schema.js';
import type { TestServer } from '../../kit/harness.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

/** 500 of fixed seeds by default; DOCUMENT_RUNS=10000 draws others. */
const runs = Number(process.env.DOCUMENT_RUNS ?? 500);
const firstSeed = process.env.DOCUMENT_RUNS === undefined ? 1 : Date.now() % 1e9;
const schema = buildSchema();

const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const env = {
  JWT_SIGNING_KEYS: JSON.stringify([{ ...jwk, kid: 'both' }]),
  RATE_LIMIT_PER_MINUTE: '0',
};
const planned = await useServer(env);
const reference = await useServer({ ...env, DATABASE_URL: planned.databaseUrl }, { hasPlans: false });
const token = await planned.signIn();
const execution = await startExecution(planned, token, { parameters: { a: [1, null, 'ü'] } });
await addResults(planned, token, execution, [
  { title: 'One', severity: 'HIGH', location: { path: 'a.c', startLine: 1 }, cveIds: ['CVE-2021-44228'] },
]);
const answer = await fetch(`${planned.url}/api/v1/imports?target=app&wait=60`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}` },
  body: readFileSync('tests/fixtures/reports/flawfinder.sarif', 'utf8'),
});
const { id, executionId } = (await answer.json()) as { id: string; executionId: string };
const found = await planned.gql(
  '{ findings(first: 1) { nodes { id } } results(first: 1) { nodes { id } } me { id } }',
  {},
  token,
);
const { findings, results, me } = found.expectData();
const ids = [execution, executionId, id, findings.nodes[0].id, results.nodes[0].id, me.id, 'exe_nonsense'];

/** Numbers that look random and follow from a seed (mulberry32). */
function numbersOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function documentOf(seed: number): string {
  const draw = numbersOf(seed);
  const oneOf = <Item>(items: readonly Item[]) => items[draw(items.length)] as Item;
  const directive = () => oneOf(['', '', '', '', ' @include(if: $a)', ' @skip(if: $b)', ' @skip(if: false)']);

  const argumentsOf = (field: GraphQLField<unknown, unknown>): string | undefined => {
    if (field.name === 'node') return `(id: "${oneOf(ids)}")`;
    if (field.args.some(isRequiredArgument)) return undefined;
    return field.args.some(({ name }) => name === 'first')
      ? oneOf(['(first: 2)', '(first: $n)', '(first: 1)'])
      : '';
  };
  const fieldOf = (field: GraphQLField<unknown, unknown>, levels: number): string | undefined => {
    const args = argumentsOf(field);
    const type = getNamedType(field.type);
    if (args === undefined || (!isLeafType(type) && levels === 0)) return undefined;
    const inner = isLeafType(type) ? '' : ` ${selectionOf(type, levels - 1)}`;
    const alias = oneOf(['', '', 'x', 'y']);
    return `${alias && `${alias}_${field.name}: `}${field.name}${args}${directive()}${inner}`;
  };
  const selectionOf = (type: GraphQLNamedType, levels: number): string => {
    if (isAbstractType(type)) {
      const some = schema.getPossibleTypes(type).filter(() => draw(3) > 0);
      const own = some.map((one) => `... on ${one.name} ${selectionOf(one, levels)}`);
      return `{ __typename ${own.join(' ')} }`;
    }
    const fields = Object.values((type as GraphQLObjectType).getFields());
    const some = Array.from({ length: 1 + draw(5) }, () => fieldOf(oneOf(fields), levels));
    const inner =
      draw(6) === 0 && isObjectType(type) ? `... on ${type.name}${directive()} { __typename }` : '';
    return `{ ${oneOf(['__typename', ''])} ${some.join(' ')} ${inner} __typename }`;
  };
  const query = schema.getQueryType() as GraphQLObjectType;
  const roots = Object.values(query.getFields()).filter(({ name }) => !unsteady.has(name));
  const some = Array.from({ length: 1 + draw(3) }, (_, index) => {
    const text = fieldOf(oneOf(roots), 4);
    return text === undefined ? '__typename' : `${text.includes(':') ? '' : `r${index}: `}${text}`;
  });
  return `query($a: Boolean!, $b: Boolean = true, $n: Int = 2) { ${some.join(' ')} b: __typename @include(if: $a) @skip(if: $b) n: executions(first: $n) { totalCount } }`;
}

/** What changes from one request to the next. */
const unsteady = new Set(['health', 'sessions', 'auditEvents']);

async function ask(server: TestServer, query: string, variables: object) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors = [] } = (await response.json()) as {
    data: unknown;
    errors?: { path?: unknown[]; message: string }[];
  };
  const faults = errors.map(({ path, message }) => `${path?.join('.')}: ${message}`).sort();
  return { status: response.status, data, faults };
}

it('gives for random documents what graphql-js gives', async () => {
  let compared = 0;
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    const query = documentOf(seed);
    const variables = { a: seed % 2 === 0, ...(seed % 3 === 0 && { b: seed % 5 === 0 }) };
    const wanted = await ask(reference, query, variables);
    // The first time the document is new to the server; the second time it takes the fast path.
    for (const turn of ['new', 'known'])
      expect({ turn, seed, query, ...(await ask(planned, query, variables)) }).toEqual({
        turn,
        seed,
        query,
        ...wanted,
      });
    if (wanted.data != null) compared += 1;
  }
  expect(compared).toBeGreaterThan(runs / 2);
});
