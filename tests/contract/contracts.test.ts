// The printed contracts: what stands in schema.graphql, openapi.yaml and docs/errors.md is what the code does.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
} from 'graphql';
import { parse } from 'yaml';
import { printContracts } from '../../src/api/contracts.js';
import { allRoutes } from '../../src/api/routes.js';
import { buildSchema } from '../../src/api/schema.js';
import { type ErrorCode, errorCatalogue } from '../../src/core/error-catalogue.js';
import { mountRoutes } from '../../src/rest/mount.js';
import type { Services } from '../../src/server/services.js';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const openapi = parse(read('openapi.yaml'));

/** "GET /api/v1/health" of every operation in openapi.yaml. */
const documented = Object.entries<Record<string, unknown>>(openapi.paths)
  .flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
  .sort();

describe('the printed contracts', () => {
  it.each(Object.entries(printContracts()))('have not drifted: %s', (name, text) => {
    expect(read(name)).toBe(text);
  });
});

it('says of every scalar of its own by which standard it is', () => {
  const own = Object.values(buildSchema().getTypeMap()).filter(isScalarType);
  const builtIn = new Set(['ID', 'String', 'Int', 'Float', 'Boolean']);
  for (const { name, specifiedByURL } of own)
    if (!builtIn.has(name)) expect([name, specifiedByURL]).toEqual([name, expect.stringMatching(/^https:/)]);
});

it('the configuration for code generation knows every scalar of the schema', async () => {
  const { default: config } = await import('../../examples/codegen.js');
  const options = Object.values(config.generates)[0]?.config;
  for (const { name } of Object.values(buildSchema().getTypeMap()).filter(isScalarType))
    if (!['String', 'Int', 'Float', 'Boolean'].includes(name)) expect(options?.scalars).toHaveProperty(name);
});

it('no document has people run a program of the registry that nobody owns', () => {
  const root = new URL('../../', import.meta.url);
  const names = ['README.md', ...readdirSync(new URL('docs', root)).map((name) => `docs/${name}`)];
  const calls = names
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => read(name).match(/\bnpx (?!--no )[^\n`]*\bsec-tester\b[^\n]*/g) ?? []);
  expect(calls.filter((call) => !call.includes('--package ./'))).toEqual([]);
});

describe('openapi.yaml', () => {
  it('has every route of Express, and Express every route of it', () => {
    const router = mountRoutes(allRoutes({} as Services), async () => null);
    const mounted = router.stack
      .flatMap(({ route }) => {
        // What is mounted for all methods answers those that are not there.
        const methods = Object.keys((route as unknown as { methods: Record<string, boolean> }).methods);
        return methods
          .filter((method) => method !== '_all')
          .map((method) => `${method.toUpperCase()} ${String(route?.path).replace(/:(\w+)/g, '{$1}')}`);
      })
      .sort();
    expect(mounted.length).toBeGreaterThan(8);
    expect(mounted).toEqual(documented);
  });

  it('names each operation once, with words, a tag, who may use it, and its answers', () => {
    const ids = new Set<string>();
    const tags = new Set(openapi.tags.map(({ name }: { name: string }) => name));
    for (const operations of Object.values<Record<string, Record<string, unknown>>>(openapi.paths)) {
      for (const operation of Object.values(operations)) {
        expect(operation).toMatchObject({
          operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
          summary: expect.stringMatching(/\S/),
          description: expect.stringMatching(/\S/),
          security: expect.any(Array),
          responses: expect.objectContaining({ 500: expect.anything() }),
        });
        expect(tags).toContain((operation.tags as string[])[0]);
        ids.add(operation.operationId as string);
      }
    }
    expect(ids.size).toBe(documented.length);
  });
});

describe('docs/errors.md', () => {
  const rows = [
    ...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` *\| (\d+) *\| (\S.*?) *\| (\S.*?) *\|$/gm),
  ];

  it('documents every code with its status, when it comes and what to do, and no other', () => {
    const told = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]));
    const known = Object.fromEntries(
      Object.entries(errorCatalogue).map(([code, { status }]) => [code as ErrorCode, status]),
    );
    expect(told).toEqual(known);
    expect(rows).toHaveLength(Object.keys(errorCatalogue).length);
  });
});

describe('schema.graphql', () => {
  const types = Object.values(buildSchema().getTypeMap()).filter(({ name }) => !name.startsWith('__'));
  const builtIn = ['String', 'Int', 'Float', 'Boolean', 'ID'];

  /** Everything of a type that a reader of the docs meets, with its description. */
  function described(type: GraphQLNamedType): [name: string, description: string | null | undefined][] {
    const own: [string, string | null | undefined] = [type.name, type.description];
    if (isEnumType(type)) {
      return [
        own,
        ...type.getValues().map((value) => [`${type.name}.${value.name}`, value.description] as const),
      ].map(([name, description]) => [name, description]);
    }
    if (isInputObjectType(type)) {
      return [
        own,
        ...Object.values(type.getFields()).map((field): [string, string | null | undefined] => [
          `${type.name}.${field.name}`,
          field.description,
        ]),
      ];
    }
    if (!isObjectType(type) && !isInterfaceType(type)) return [own];
    return [
      own,
      ...Object.values(type.getFields()).flatMap((field): [string, string | null | undefined][] => [
        [`${type.name}.${field.name}`, field.description],
        ...field.args.map((arg): [string, string | null | undefined] => [
          `${type.name}.${field.name}(${arg.name})`,
          arg.description,
        ]),
      ]),
    ];
  }

  it('describes every type, field, argument, enum value and input field', () => {
    const all = types.filter(({ name }) => !builtIn.includes(name)).flatMap(described);
    expect(all.length).toBeGreaterThan(250);
    const silent = all.filter(([, description]) => (description ?? '').trim() === '').map(([name]) => name);
    expect(silent).toEqual([]);
  });
});
