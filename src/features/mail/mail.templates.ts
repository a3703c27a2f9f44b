// Templates of mails: those of the product, those of an operator's folder, the check of both, and filling them in.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commonPlaceholders, type MailKind, placeholders, type Templates } from './mail.kinds.js';
import { de } from './templates/de.js';
import { en } from './templates/en.js';

/** A template that was checked. */
export interface Template {
  subject: string;
  text: string;
}

const kinds = Object.keys(placeholders) as MailKind[];
const builtIn: Readonly<Record<string, Templates>> = { en, de };
const maxFileBytes = 65_536;

/** The name of a kind's file: `password-reset.txt`. */
const fileOf = (kind: MailKind) => `${kind.toLowerCase().replaceAll('_', '-')}.txt`;

/**
 * Reads the templates of a language: the operator's, and the product's for kinds that they do not replace.
 * @param folder MAIL_TEMPLATES_DIR, with a folder for each language
 * @throws Error that names the file and what is wrong with it
 */
export function readTemplates(
  language: string,
  folder: string | undefined,
): Readonly<Record<MailKind, Template>> {
  const own = folder === undefined ? new Map<string, string>() : filesIn(folder, language);
  const unknown = [...own.keys()].find((name) => !kinds.some((kind) => fileOf(kind) === name));
  if (unknown !== undefined)
    throw new Error(
      `${join(folder ?? '', language, unknown)} is the template of no mail; expected ${kinds.map(fileOf).join(', ')}`,
    );
  const entries = kinds.map((kind) => {
    const name = join(folder ?? '', language, fileOf(kind));
    const source = own.get(fileOf(kind)) ?? builtIn[language]?.[kind];
    if (source === undefined)
      throw new Error(
        `MAIL_LANGUAGE: "${language}" has no template for ${kind}; expected en, de, or the file ${folder === undefined ? `${name} in MAIL_TEMPLATES_DIR` : name}`,
      );
    return [kind, parseTemplate(name, kind, source)] as const;
  });
  return Object.fromEntries(entries) as Record<MailKind, Template>;
}

/** Name → text of the language's files. The folder must be there; one for the language need not. */
function filesIn(folder: string, language: string): Map<string, string> {
  try {
    if (!readdirSync(folder).includes(language)) return new Map();
    const names = readdirSync(join(folder, language)).filter((name) => !name.startsWith('.'));
    return new Map(names.map((name) => [name, readFileSync(join(folder, language, name), 'utf8')]));
  } catch (error) {
    throw new Error(`MAIL_TEMPLATES_DIR: ${(error as Error).message}`);
  }
}

/** @throws Error that names the file, and the placeholder or line that is wrong */
function parseTemplate(file: string, kind: MailKind, source: string): Template {
  if (Buffer.byteLength(source) > maxFileBytes)
    throw new Error(`${file} is larger than ${maxFileBytes} bytes`);
  const [, subject, text] =
    /^\uFEFF?Subject: *(\S[^\n]*?)\s*\n\s*?\n([\s\S]*\S)\s*$/.exec(source.replaceAll('\r\n', '\n')) ?? [];
  if (subject === undefined || text === undefined)
    throw new Error(`${file} must begin with "Subject: …" and an empty line, and then have the text`);
  const known: readonly string[] = [...commonPlaceholders, ...placeholders[kind]];
  const used = [...source.matchAll(/\{\{([^{}]*)\}\}/g)].map(([, name = '']) => name);
  const unknown = used.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(
      `${file} has the placeholder {{${unknown}}}; expected some of ${known.map((name) => `{{${name}}}`).join(', ')}`,
    );
  if (/\{\{|\}\}/.test(source.replace(/\{\{[^{}]*\}\}/g, '')))
    throw new Error(`${file} has {{ or }} without the other`);
  if (known.includes('link') && !text.includes('{{link}}'))
    throw new Error(`${file} must have the placeholder {{link}} in its text`);
  if (subject.includes('{{link}}'))
    throw new Error(`${file} must not have the placeholder {{link}} in its subject`);
  return { subject, text: `${text}\n` };
}

/** Longest value in a mail; a link has a bound of its own. */
const maxValue = 300;

/**
 * Fills a template in. Values stay within their lines: they cannot begin a header or pretend to be text of the server, and
 * show their characters in order.
 */
export function render({ subject, text }: Template, values: Readonly<Record<string, string>>): Template {
  const fill = (source: string) =>
    source.replace(/\{\{([^{}]*)\}\}/g, (_whole, name: string) => {
      const value = values[name] ?? '';
      return name === 'link' ? value : oneLine(value);
    });
  return { subject: fill(subject), text: fill(text) };
}

/** A text without control characters, line breaks and bidirectional controls. */
function oneLine(value: string): string {
  return value
    .replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\u00ad\u200b\u2060\ufeff]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, maxValue)
    .toWellFormed();
}
