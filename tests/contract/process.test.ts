// The house rules about the process, the heads of files and the paths in documents; imports are biome.json's.

import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { migrate } from '../../src/admin/migrate.js';
import { house } from './house.js';

const files = house.filesIn('src').map((file) => file.slice('src/'.length));

describe('the process', () => {
  const code = (file: string) => house.textOf(`src/${file}`).replace(/^\s*\/\/.*$/gm, '');

  it('has its environment read only in main, the commands, the client’s main and the configuration', () => {
    const readers = files.filter((file) =>
      /\bprocess\s*(\.env\b|\[\s*['"]env)|\benv\b.*from 'node:process'/.test(code(file)),
    );
    const wrong = readers.filter((file) => !/^(main|config\/load|cli\/main)\.ts$|^admin\//.test(file));
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
    expect(files.filter((file) => !/^\/\/ \S.{20,}\n/.test(house.textOf(`src/${file}`)))).toEqual([]);
  });
});

it('runs a command of migrate for each npm run migrate in docs/commands.md', async () => {
  const { scripts } = JSON.parse(house.textOf('package.json')) as { scripts: Record<string, string> };
  const named = [
    ...house.textOf('docs/commands.md').matchAll(/`npm run (migrate(?::status)?)(?: -- ([a-z]+))?`/g),
  ];
  expect(named.map(([text]) => text)).toContain('`npm run migrate -- finish`');
  const nowhere = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' };
  for (const [text, script = '', word] of named) {
    const words = scripts[script]?.split('migrate.js')[1]?.trim().split(/\s+/).filter(Boolean) ?? [];
    const code = await migrate(word === undefined ? words : [...words, word], nowhere, () => {});
    expect([text, code]).toEqual([text, 1]); // no such database; 2 would be no such command
  }
});

it('has no path that is cut out of a file’s URL, where a space in the name of a folder is %20', () => {
  const folders = ['src', 'tests', 'bench', 'scripts', 'faults', 'anywhere', 'examples', 'bin'];
  const programs = folders.flatMap((folder) => house.filesIn(folder, /\.m?[jt]s$/));
  expect(programs.length).toBeGreaterThan(500);
  const cutOut = programs.filter((file) => {
    const text = house.textOf(file);
    const named = [...text.matchAll(/\b(\w+) = new URL\([^;]*?import\.meta\.url\);/g)].map(
      ([, name]) => name,
    );
    return (
      /import\.meta\.url\)\.pathname/.test(text) ||
      named.some((name) => new RegExp(`\\b${name}\\.pathname\\b`).test(text))
    );
  });
  expect(cutOut).toEqual([]);
});

it.each(['README.md', 'CONTRIBUTING.md', ...house.filesIn('docs', /\.md$/)])(
  '%s names only files that exist',
  (document) => {
    // The guide to a new entity invents one.
    const text = house.textOf(document).replaceAll(/[\w/-]*target\/target\.input\.ts/g, '');
    const named = [...text.matchAll(/(?<![\w./-])[a-z][\w-]*(?:\/[\w.-]+)*\/[\w.-]+\.ts\b/g)].map(
      ([path]) => path,
    );
    expect(named.filter((path) => ![path, `src/${path}`].some((at) => existsSync(at)))).toEqual([]);
  },
);
