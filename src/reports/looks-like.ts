// Guesses the format of an unrecognised report for the error message.
import type { ReportHead } from './format.js';

/** A clause for an error message, for example `it looks like Checkstyle XML`. */
export function looksLike(head: ReportHead): string {
  if (head.kind === 'xml') return xmlLike(head);
  if (head.kind === 'json') return jsonLike(head);
  return textLike(head);
}

const xmlFormats = new Map(
  Object.entries({
    checkstyle: 'Checkstyle XML; let the tool write SARIF or JUnit instead',
    html: 'an HTML page',
    NessusClientData_v2: 'a Nessus report, which is not supported',
    BugCollection: 'SpotBugs XML; let the tool write SARIF instead',
    pmd: 'PMD XML; let the tool write SARIF instead',
    analysis: 'a Dependency-Check XML report; let the tool write SARIF instead',
    report: 'an XML report of an unknown tool; let the tool write SARIF instead',
    Envelope: 'a SOAP message',
  }),
);

function xmlLike({ xmlRoot, text }: ReportHead): string {
  if (/^\s*<!doctype html/i.test(text)) return 'it looks like an HTML page';
  if (xmlRoot === undefined) return 'it looks like XML without a root element';
  const known = xmlFormats.get(xmlRoot);
  if (known !== undefined) return `it looks like ${known}`;
  return `it is XML with the root element <${xmlRoot.slice(0, 60)}>`;
}

const jsonFormats: readonly (readonly [name: string, ...keys: string[]])[] = [
  ['SARIF 1.0; only 2.1.0 is supported', 'runLogs'],
  ['SPDX, which lists components but no vulnerabilities', 'spdxVersion'],
  ['Snyk JSON; let the tool write SARIF (--sarif-file-output)', 'vulnerabilities', 'packageManager'],
  ['pip-audit JSON; let the tool write CycloneDX (--format cyclonedx-json)', 'dependencies.vulns'],
  ['OSV-Scanner JSON; let the tool write SARIF (--format sarif)', 'results.packages'],
  ['Dependency-Check JSON; let the tool write SARIF (--format SARIF)', 'reportSchema', 'dependencies'],
  ['ShellCheck JSON; convert it to SARIF or write Checkstyle to JUnit', 'comments'],
  ['Pylint JSON; let a converter write SARIF or GitLab Code Quality', 'message-id', 'symbol'],
  ['Pyright JSON', 'generalDiagnostics'],
  ['Wapiti JSON', 'classifications', 'vulnerabilities'],
  ['an OpenAPI document', 'openapi'],
  ['an npm lock file', 'lockfileVersion'],
];

function jsonLike(head: ReportHead): string {
  const { keys, isArray, values } = head;
  const known = jsonFormats.find(([, ...needed]) => needed.every((key) => keys.has(key)));
  if (known !== undefined) return `it looks like ${known[0]}`;
  if (keys.size === 0 && isArray)
    return 'it is an empty list, which several tools write for a clean run; name the format';
  if (keys.size === 0 && values.has(''))
    return `it is the JSON value ${valueText(values.get(''))}; name the format`;
  const names = [...keys].filter((key) => !key.includes('.')).slice(0, 8);
  const shown = names.map((name) => name.slice(0, 40)).join(', ');
  return `it is JSON ${isArray ? 'in a list ' : ''}with the keys ${shown === '' ? '(none)' : shown}`;
}

function valueText(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 40);
}

const binaries: readonly (readonly [start: string, name: string])[] = [
  ['%PDF', 'a PDF document'],
  ['PK\u0003\u0004', 'a ZIP archive; send the report in it, alone or as gzip'],
  ['BZh', 'a bzip2 archive; send the report alone or as gzip'],
  ['SQLite format', 'an SQLite database'],
];

function textLike({ text, columns }: ReportHead): string {
  if (text.trim() === '') return 'it is empty';
  const binary = binaries.find(([start]) => text.startsWith(start));
  if (binary !== undefined) return `it looks like ${binary[1]}`;
  if (text.includes('\0')) return 'it looks like binary data';
  if (columns.length > 1)
    return `it looks like CSV with the columns ${columns.slice(0, 8).join(', ').slice(0, 200)}`;
  return 'it is neither JSON nor XML nor CSV';
}
