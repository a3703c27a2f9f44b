// Templates of mails: those of the product are whole, those of operators are checked at the start, and values stay in their line.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { commonPlaceholders, type MailKind, placeholders } from '../../../src/features/mail/mail.kinds.js';
import { readTemplates, render } from '../../../src/features/mail/mail.templates.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with these files, by their path. */
function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-templates-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const whole = 'Subject: Hello\n\nText {{link}}\n';

describe('the templates of the product', () => {
  it.each(['en', 'de'])(
    'show every placeholder of every mail, in lines that mail programs do not break: %s',
    (language) => {
      const templates = readTemplates(language, undefined);
      for (const [kind, { subject, text }] of Object.entries(templates)) {
        const used = new Set([...`${subject}${text}`.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name));
        const known = [...commonPlaceholders, ...placeholders[kind as MailKind]].filter(
          (name) => name !== 'email' || kind !== 'API_KEY_EXPIRING',
        );
        expect([kind, [...used].sort()]).toEqual([kind, known.sort()]);
        for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(76);
      }
    },
  );

  it('are there in these languages only', () => {
    expect(() => readTemplates('fr', undefined)).toThrow(
      'MAIL_LANGUAGE: "fr" has no template for INVITATION; expected en, de, or the file fr/invitation.txt in MAIL_TEMPLATES_DIR',
    );
  });
});

describe('the templates of an operator', () => {
  it('replace those of the product, one by one', () => {
    const folder = folderWith({
      'en/invitation.txt':
        '\uFEFFSubject:  Welcome, {{name}} \r\n\r\nGo to {{link}}\r\nby {{expires}}.\r\n\r\n',
    });
    const templates = readTemplates('en', folder);
    expect(templates.INVITATION).toEqual({
      subject: 'Welcome, {{name}}',
      text: 'Go to {{link}}\nby {{expires}}.\n',
    });
    expect(templates.PASSWORD_RESET).toEqual(readTemplates('en', undefined).PASSWORD_RESET);
    expect(readTemplates('de', folder)).toEqual(readTemplates('de', undefined));
  });

  it('may be of a language of their own, when all are there', () => {
    const names = Object.keys(placeholders).map(
      (kind) => `fr/${kind.toLowerCase().replaceAll('_', '-')}.txt`,
    );
    const text = (name: string) => (/invitation|reset/.test(name) ? whole : 'Subject: Bonjour\n\nTexte\n');
    const folder = folderWith(Object.fromEntries(names.map((name) => [name, text(name)])));
    expect(readTemplates('fr', folder).NEW_DEVICE).toEqual({ subject: 'Bonjour', text: 'Texte\n' });
  });

  it.each([
    [
      'an unknown placeholder',
      'invitation.txt',
      `${whole}{{token}}`,
      /en\/invitation\.txt has the placeholder \{\{token\}\}; expected some of \{\{name\}\}, /,
    ],
    [
      'a placeholder of another mail',
      'new-device.txt',
      'Subject: a\n\n{{link}}',
      /en\/new-device\.txt has the placeholder \{\{link\}\}/,
    ],
    [
      'a placeholder with spaces',
      'invitation.txt',
      `${whole}{{ name }}`,
      /has the placeholder \{\{ name \}\}/,
    ],
    [
      'half of a placeholder',
      'invitation.txt',
      `${whole}{{name}`,
      /en\/invitation\.txt has \{\{ or \}\} without the other/,
    ],
    [
      'no link',
      'password-reset.txt',
      'Subject: a\n\ntext',
      /en\/password-reset\.txt must have the placeholder \{\{link\}\} in its text/,
    ],
    [
      'the link in its subject',
      'invitation.txt',
      'Subject: {{link}}\n\n{{link}}',
      /must not have the placeholder \{\{link\}\} in its subject/,
    ],
    [
      'no subject',
      'invitation.txt',
      'Hello\n\n{{link}}',
      /en\/invitation\.txt must begin with "Subject: …" and an empty line/,
    ],
    [
      'no empty line',
      'invitation.txt',
      'Subject: a\n{{link}}',
      /must begin with "Subject: …" and an empty line/,
    ],
    ['no text', 'new-device.txt', 'Subject: a\n\n \n', /then have the text/],
    [
      'a name of no mail',
      'invite.txt',
      whole,
      /en\/invite\.txt is the template of no mail; expected invitation\.txt, /,
    ],
    [
      'too much',
      'invitation.txt',
      whole + 'x'.repeat(65_536),
      /en\/invitation\.txt is larger than 65536 bytes/,
    ],
  ])('stop the start when one has %s', (_what, name, text, message) => {
    expect(() => readTemplates('en', folderWith({ [`en/${name}`]: text }))).toThrow(message);
  });

  it('stop the start when their folder is not there', () => {
    expect(() => readTemplates('en', '/nowhere/at/all')).toThrow(
      /^MAIL_TEMPLATES_DIR: ENOENT.*\/nowhere\/at\/all/,
    );
  });
});

describe('a value', () => {
  const shown = (name: string) => render({ subject: 'To {{name}}', text: 'Hello {{name}}!\n' }, { name });

  it.each([
    ['a line break', 'Eve\r\nBcc: x@evil.test'],
    ['a separator of lines', 'Eve\u2028\u2029Bcc: x@evil.test'],
    ['controls', 'Eve\0\u0007\u001b[31m\u0085\u009bBcc: x@evil.test'],
    ['bidirectional controls', 'Eve\u202e\u2066\u200f\u061cBcc: x@evil.test'],
  ])('stays in its line with %s', (_what, name) => {
    const { subject, text } = shown(name);
    for (const line of [subject, text.trimEnd()]) {
      expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      expect(line).toMatch(/Eve .*Bcc: x@evil\.test/);
    }
  });

  it('is no template itself, and has an end', () => {
    expect(shown('{{link}} $& $1').text).toBe('Hello {{link}} $& $1!\n');
    expect(shown(`${'a'.repeat(299)}😀`).text).toBe(`Hello ${'a'.repeat(299)}\ufffd!\n`);
  });
});
