// The house: which layer imports which, and where the environment and the end of the process may be touched.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const source = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  /** Of the file that imports, from src/. */
  from: string;
  /** Path from src/, or the library's name. */
  to: string;
  isLibrary: boolean;
  isTypeOnly: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('generated/'));
const textOf = (file: string) => readFileSync(join(source, file), 'utf8');

/** import and export … from, over several lines, `import * as`, imports for effect, and import(). */
function importsOf(from: string, text = textOf(from)): Import[] {
  const found: [target: string, clause: string][] = [];
  for (const [, clause, target] of text.matchAll(/^(?:import|export)\s([^;'"]*?)\sfrom\s+['"]([^'"]+)['"]/gm))
    found.push([target as string, clause as string]);
  for (const [, target] of text.matchAll(/^import\s+['"]([^'"]+)['"]/gm)) found.push([target as string, '*']);
  for (const [, target] of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g))
    found.push([target as string, '*']);
  return found.map(([target, clause]) => {
    const isLibrary = !target.startsWith('.');
    const names = /\{([\s\S]*)\}/.exec(clause)?.[1]?.split(',') ?? [''];
    return {
      from,
      to: isLibrary ? target : posix.join(dirname(from), target).replace(/\.js$/, '.ts'),
      isLibrary,
      isTypeOnly:
        clause.startsWith('type ') ||
        (clause.startsWith('{') &&
          names.every((name) => name.trim() === '' || name.trim().startsWith('type '))),
    };
  });
}

/** From the ground up; what is not named here (config, the roots) may be imported from above only. */
const layers = [
  'core',
  'generated',
  'infra',
  'input',
  'service',
  'transport',
  'schema',
  'root',
  'process',
  'client',
] as const;
type Layer = (typeof layers)[number];

function layerOf(file: string): Layer {
  if (file.startsWith('cli/')) return 'client';
  if (file.startsWith('core/')) return 'core';
  if (file.startsWith('generated/')) return 'generated';
  if (file.startsWith('infra/')) return 'infra';
  if (file === 'features/input.ts' || file.endsWith('.input.ts')) return 'input';
  if (/\.(schema|routes|ref)\.ts$/.test(file)) return 'schema';
  if (file.startsWith('features/')) return 'service';
  if (['graphql/schema.ts', 'graphql/server.ts', 'graphql/node.ts'].includes(file)) return 'root';
  if (file.startsWith('graphql/') || file.startsWith('http/')) return 'transport';
  if (file === 'main.ts' || file.startsWith('commands/')) return 'process';
  return 'root';
}

/** Layer → layers whose values it may import; its own and types of a service's collaborators aside. */
const mayImport: Record<Layer, readonly Layer[]> = {
  core: [],
  generated: ['generated'],
  infra: ['core', 'generated'],
  input: ['core'],
  service: ['core', 'generated', 'infra', 'input'],
  transport: ['core', 'generated', 'infra', 'input'],
  schema: ['core', 'input', 'transport', 'service'],
  root: ['core', 'generated', 'infra', 'input', 'service', 'transport', 'schema'],
  process: ['core', 'infra', 'service', 'root'],
  client: [],
};

const all = files.flatMap((file) => importsOf(file));
const inner = all.filter(({ isLibrary }) => !isLibrary);
const shown = ({ from, to }: Import) => `${from} → ${to}`;

describe('the reader of imports', () => {
  it('sees every way to import', () => {
    const text = [
      "import a from 'a';",
      "import * as b from '../core/b.js';",
      "import {\n  c,\n  type D,\n} from './c.js';",
      "import './e.js';",
      "import type { F } from './f.js';",
      "import { type G } from './g.js';",
      "export { h } from './h.js';",
      "export * from './i.js';",
      "const j = await import('./j.js');",
    ].join('\n');
    expect(importsOf('infra/x.ts', text).map(({ to, isTypeOnly }) => [to, isTypeOnly])).toEqual([
      ['a', false],
      ['core/b.ts', false],
      ['infra/c.ts', false],
      ['infra/f.ts', true],
      ['infra/g.ts', true],
      ['infra/h.ts', false],
      ['infra/i.ts', false],
      ['infra/e.ts', false],
      ['infra/j.ts', false],
    ]);
  });

  it('finds the files', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(inner.length).toBeGreaterThan(150);
  });
});

describe('a layer', () => {
  it('imports values only from itself and from below', () => {
    const wrong = inner.filter(({ from, to, isTypeOnly }) => {
      const [own, other] = [layerOf(from), layerOf(to)];
      return !isTypeOnly && own !== other && !mayImport[own].includes(other);
    });
    expect(wrong.map(shown)).toEqual([]);
  });

  it('the client stands alone: it imports nothing of the server, nor the server of it, not even types', () => {
    const isClient = (file: string) => file.startsWith('cli/');
    expect(inner.some(({ from }) => isClient(from))).toBe(true);
    expect(inner.filter(({ from, to }) => isClient(from) !== isClient(to)).map(shown)).toEqual([]);
  });

  it('core is pure: it imports core and uuid, types included', () => {
    const wrong = all.filter(
      ({ from, to, isLibrary }) =>
        from.startsWith('core/') && (isLibrary ? to !== 'uuid' : !to.startsWith('core/')),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('infra knows no feature and no transport, not even by type', () => {
    const wrong = inner.filter(
      ({ from, to }) => from.startsWith('infra/') && !/^(core|infra|generated)\//.test(to),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('a service knows no Express, no GraphQL, and other features only by type', () => {
    const services = all.filter(({ from }) => layerOf(from) === 'service');
    expect(services.length).toBeGreaterThan(50);
    const wrong = services.filter(({ from, to, isLibrary, isTypeOnly }) => {
      if (isLibrary) return /^(express|graphql|@pothos|graphql-yoga)(\/|$|-)/.test(to);
      const isOther = to.startsWith('features/') && dirname(to) !== dirname(from);
      return /^(graphql|http)\//.test(to) || (isOther && !isTypeOnly);
    });
    expect(wrong.map(shown)).toEqual([]);
  });

  it('the builder of the schema and REST’s kit know no feature', () => {
    const kit = [
      'graphql/builder.ts',
      'graphql/connection.ts',
      'graphql/input.ts',
      'graphql/door.ts',
      'http/route.ts',
    ];
    const wrong = inner.filter(
      ({ from, to, isTypeOnly }) =>
        kit.includes(from) && to.startsWith('features/') && to !== 'features/input.ts' && !isTypeOnly,
    );
    expect(wrong.map(shown)).toEqual([]);
  });
});

describe('the process', () => {
  const code = (file: string) => textOf(file).replace(/^\s*\/\/.*$/gm, '');

  it('has its environment read only in main, the commands, the client’s main and the configuration', () => {
    const readers = files.filter((file) =>
      /\bprocess\s*(\.env\b|\[\s*['"]env)|\benv\b.*from 'node:process'/.test(code(file)),
    );
    const wrong = readers.filter((file) => !/^(main|config|cli\/main)\.ts$|^commands\//.test(file));
    expect(wrong).toEqual([]);
    expect(readers).toContain('main.ts');
  });

  it('is ended only in main', () => {
    expect(files.filter((file) => /\bprocess\.(exit|abort|kill)\s*\(/.test(code(file)))).toEqual(
      expect.arrayContaining(['main.ts']),
    );
    expect(files.filter((file) => /\bprocess\.exit\s*\(/.test(code(file)))).toEqual(['main.ts']);
  });

  it('has a first line in every file that says what lives there', () => {
    expect(files.filter((file) => !/^\/\/ \S.{20,}\n/.test(textOf(file)))).toEqual([]);
  });
});
