// Reads the text of a setting from the environment or a secret's file; settings.ts gives it a meaning.
import { readFileSync } from 'node:fs';
import type { Setting } from './settings.js';

/** The environment as Node gives it: names to text. */
export type Env = Record<string, string | undefined>;

/** Where the value in force was given. */
export type SettingSource = 'default' | 'environment' | 'file';

/**
 * Finds the text given for a setting: in the environment or, for a secret, in the file that `<NAME>_FILE` names.
 *
 * @returns the text, without the last line break of a file and, unless secret, without outer blanks; undefined
 *   when nothing or an empty text is given
 * @throws Error when a secret is given twice, or its file is empty or cannot be read
 */
export function givenText(setting: Setting, env: Env): string | undefined {
  const text = unlessEmpty(setting.secret ? env[setting.name] : env[setting.name]?.trim());
  const file = setting.secret && unlessEmpty(env[`${setting.name}_FILE`]);
  if (!file) return text;
  if (text !== undefined) {
    throw new Error(`given twice, expected either ${setting.name} or ${setting.name}_FILE`);
  }
  return readSecret(file, `${setting.name}_FILE`);
}

function readSecret(file: string, name: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    throw new Error(`${quoted(file)} cannot be read (${reason}), expected ${name} to name a readable file`);
  }
  if (text === '')
    throw new Error(`${quoted(file)} is empty, expected ${name} to name a file with the secret`);
  return text;
}

/** @returns where the text of a setting comes from. */
export function sourceOf(setting: Setting, env: Env): SettingSource {
  if (setting.secret && unlessEmpty(env[`${setting.name}_FILE`])) return 'file';
  const text = setting.secret ? env[setting.name] : env[setting.name]?.trim();
  return unlessEmpty(text) === undefined ? 'default' : 'environment';
}

/** @returns the text in quotes and shortened, fit for one line of a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function unlessEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
