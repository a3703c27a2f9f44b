// The house rules about the process and the heads of files; which folder may import which is in biome.json.
import { describe, expect, it } from '@jest/globals';
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
