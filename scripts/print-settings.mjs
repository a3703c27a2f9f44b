// Prints .env.example and the table of docs/settings.md from the settings (after a build); with --check it only reports drift.
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const begin = '<!-- settings:begin -->';
const end = '<!-- settings:end -->';

/** @returns the text of .env.example for the rows of describeSettings() */
export function renderEnvExample(rows) {
  const head = [
    '# Settings with their defaults, printed by `npm run settings:print`: change src/config/settings.ts, not this file.',
    '# Each secret may be given as a file instead: NAME_FILE=/path/to/file.',
  ];
  const groups = grouped(rows).flatMap(([group, settings]) => [
    '',
    `## ${group}`,
    ...settings.flatMap((row) => ['', `# ${row.description}${noteOn(row)}`, `# ${row.name}=${row.example}`]),
  ]);
  return `${[...head, ...groups].join('\n')}\n`;
}

/** @returns the Markdown between the markers of docs/settings.md for the rows of describeSettings() */
export function renderSettingsTable(rows) {
  const lines = rows.map((row) => {
    const name = row.secret ? `\`${row.name}\`, \`${row.name}_FILE\`` : `\`${row.name}\``;
    const fallback = row.default === '' ? '' : `\`${row.default}\``;
    return `| ${name} | ${fallback} | ${row.description.replaceAll('|', '\\|')} |`;
  });
  return ['| Setting | Default | What it is |', '|--|--|--|', ...lines].join('\n');
}

/** @returns the page with its table replaced; unchanged when it has no markers */
export function withSettingsTable(page, rows) {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) return page;
  return `${page.slice(0, from)}${begin}\n${renderSettingsTable(rows)}\n${page.slice(to)}`;
}

function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return [...groups];
}

function noteOn(row) {
  const note = row.default.startsWith(`${row.example} (`) ? row.default.slice(row.example.length) : '';
  return `${note && ` Default: ${row.default}.`}${row.secret ? ' Secret.' : ''}`;
}

function readOr(path, fallback) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return fallback;
    throw error;
  }
}

async function main(isCheck) {
  const { describeSettings } = await import('../dist/config/load.js');
  const rows = describeSettings();
  const root = new URL('../', import.meta.url);
  const page = readOr(new URL('docs/settings.md', root), undefined);
  const wanted = { '.env.example': renderEnvExample(rows) };
  if (page !== undefined) wanted['docs/settings.md'] = withSettingsTable(page, rows);
  for (const [name, text] of Object.entries(wanted)) {
    const path = new URL(name, root);
    if (readOr(path, undefined) === text) continue;
    if (!isCheck) writeFileSync(path, text);
    console.log(
      isCheck ? `${name} differs from src/config/settings.ts: run npm run settings:print` : `${name} printed`,
    );
    if (isCheck) process.exitCode = 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.includes('--check'));
}
