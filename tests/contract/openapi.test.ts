// openapi.yaml as its readers and tools need it: strict, with an example of everything, clean by the linters' rules.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { isInterfaceType, isObjectType } from 'graphql';
import { allRoutes } from '../../src/api/routes.js';
import { buildSchema } from '../../src/api/schema.js';
import type { Services } from '../../src/server/services.js';
import { openapi } from '../kit/openapi.js';

interface Content {
  schema?: object;
  example?: unknown;
  examples?: Record<string, { value: { code?: string } }>;
}
interface Answer {
  $ref?: string;
  description: string;
  headers: Record<string, unknown>;
  content: Record<string, Content>;
}
interface Operation {
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, Answer>;
}

const shared = openapi.components.responses as unknown as Record<string, Answer>;
const operations = Object.entries(openapi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(
    ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation as unknown as Operation] as const,
  ),
);
const answersOf = ({ responses }: Operation) =>
  Object.entries(responses).map(([status, answer]) => {
    const resolved = answer.$ref === undefined ? answer : shared[answer.$ref.split('/').at(-1) as string];
    return [Number(status), resolved as Answer] as const;
  });

/** Every object within a value, with where it is. */
function* walk(value: unknown, path = ''): Generator<[string, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null) return;
  yield [path, value as Record<string, unknown>];
  for (const [key, child] of Object.entries(value)) {
    if (key !== 'example' && key !== 'examples') yield* walk(child, `${path}/${key}`);
  }
}

describe('openapi.yaml', () => {
  it('lets no object have more than it documents, and describes each of its fields', () => {
    const objects = [...walk(openapi)].filter(([, { type }]) => type === 'object');
    expect(objects.length).toBeGreaterThan(12);
    // To answers of authenticators, browsers add what later levels of WebAuthn have.
    const isOfBrowser = (path: string) => /properties\/response(\/properties\/response)?$/.test(path);
    expect(
      objects
        .filter(([path, schema]) => schema.additionalProperties !== false && !isOfBrowser(path))
        .map(([path]) => path),
    ).toEqual([]);
    const fields = objects.flatMap(([path, { properties }]) =>
      Object.entries(properties as Record<string, Record<string, unknown>>).map(
        ([name, field]) => [`${path}/${name}`, field] as const,
      ),
    );
    const isDescribed = (field: Record<string, unknown>) =>
      field.$ref !== undefined || [...walk(field)].some(([, { description }]) => description !== undefined);
    expect(fields.filter(([, field]) => !isDescribed(field)).map(([path]) => path)).toEqual([]);
  });

  it.each(operations)(
    'has an example of every request and answer of %s, of each error too',
    (_name, operation) => {
      for (const content of Object.values(operation.requestBody?.content ?? {})) {
        expect(content.example).toBeDefined();
      }
      const answers = answersOf(operation);
      const statuses = answers.map(([status]) => status);
      expect(statuses).toEqual(expect.arrayContaining([400, 404, 500]));
      expect(statuses.filter((status) => [200, 201, 204, 302].includes(status))).toHaveLength(1); // 302 sends browsers on
      for (const [, { description, content }] of answers) {
        for (const [type, { example, examples }] of Object.entries(content ?? {})) {
          if (type !== 'application/problem+json') {
            expect(example).toBeDefined();
            continue;
          }
          const codes = [...description.matchAll(/^([A-Z_]+): /gm)].map(([, code]) => code);
          expect(codes.length).toBeGreaterThan(0);
          expect(Object.values(examples ?? {}).map(({ value }) => value.code)).toEqual(codes);
        }
      }
    },
  );

  it.each(operations)('tells of the headers of %s', (name, operation) => {
    const isCounted = !name.includes('/health');
    for (const [status, { headers }] of answersOf(operation)) {
      const names = Object.keys(headers);
      expect(names).toEqual(expect.arrayContaining(['X-Correlation-ID', 'API-Version']));
      if (isCounted) expect(names).toEqual(expect.arrayContaining(['RateLimit', 'RateLimit-Policy']));
      expect([status, names.includes('WWW-Authenticate')]).toEqual([
        status,
        status === 401 || status === 403,
      ]);
      if (status === 429) expect(names).toContain('Retry-After');
      if (status === 201 || status === 202 || status === 302) expect(names).toContain('Location');
    }
    expect(answersOf(operation).some(([status]) => status === 429)).toBe(isCounted);
  });

  it('is clean by the rules of Redocly, Spectral and OWASP', async () => {
    const env = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
    const lint = promisify(execFile)('npm', ['run', '--silent', 'lint:openapi'], { env });
    const printed = await lint.catch((error: { stdout: string; stderr: string }) => error);
    expect(printed).not.toBeInstanceOf(Error);
    expect(printed.stdout).toContain("No results with a severity of 'hint' or higher found!");
  });
});

describe('docs/versioning.md', () => {
  it('lists what is deprecated now, and nothing else; all of it by the one mechanism', () => {
    const routes = allRoutes({} as Services)
      .filter(({ deprecated }) => deprecated !== undefined)
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    const fields = Object.values(buildSchema().getTypeMap()).flatMap((type) => {
      if (!isObjectType(type) && !isInterfaceType(type)) return [];
      const ending = Object.values(type.getFields()).filter(
        ({ deprecationReason }) => deprecationReason != null,
      );
      for (const { extensions } of ending) expect(extensions.deprecation).toBeDefined();
      return ending.map(({ name }) => `${type.name}.${name}`);
    });
    const text = readFileSync(new URL('../../docs/versioning.md', import.meta.url), 'utf8');
    const [, list = ''] = /^## Deprecated now\n([\s\S]*?)^## /m.exec(text) ?? [];
    const told = [...list.matchAll(/^- `([^`]+)`/gm)].map(([, name]) => name);
    expect(told.sort()).toEqual([...routes, ...fields].sort());
    expect(list.includes('Nothing.')).toBe(told.length === 0);
  });
});
