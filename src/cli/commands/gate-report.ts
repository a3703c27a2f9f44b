// The outcome of a gate as JUnit XML and as Markdown, for CI servers. Its texts come from scanners and servers: they are escaped.
import { plain } from '../output.js';
import type { Execution, Severity, SeverityCounts } from '../queries.js';

/** The outcome of a gate. */
export interface GateReport {
  passed: boolean;
  /** LOG reports only: what ENFORCE would refuse passes, unless the execution is incomplete. */
  mode: 'ENFORCE' | 'LOG';
  /** Whether mode ENFORCE passes it or would pass it. */
  wouldPass: boolean;
  /** Whether the execution has completed and its imports are complete. */
  isComplete: boolean;
  /** Why it did not pass, or would not pass in mode ENFORCE, in sentences. */
  reasons: string[];
  /** The run of the base branch beside which findings are new; null where that branch has none. */
  base?: { id: string; name: string } | null;
  /** Results, or with a policy the findings that count. */
  counts: SeverityCounts;
  policy?: object;
  failOn?: Severity;
  /** Results of `failOn` or above. */
  found?: number;
  execution: Execution;
}

/** JUnit XML with one test case, whose name stays the same from run to run. */
export function toJUnit(report: GateReport): string {
  const { passed, reasons, counts, execution } = report;
  const [first = 'Not passed', ...others] = reasons.map((reason) => plain(reason));
  const failure = passed
    ? []
    : [`    <failure type="gate" message="${xml(first)}">${xml([first, ...others].join('\n'))}</failure>`];
  const { critical, high, medium, low, info } = counts;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="1" failures="${failure.length}">`,
    `<testsuite name="sec-tester gate" tests="1" failures="${failure.length}" errors="0" skipped="0">`,
    `  <testcase classname="sec-tester.gate" name="${xml(plain(`${execution.kind} ${execution.target}`, 500))}">`,
    ...failure,
    `    <system-out>${xml([`${execution.id}: ${critical} critical, ${high} high, ${medium} medium, ${low} low, ${info} info`, ...lenienceOf(report)].join('\n'))}</system-out>`,
    '  </testcase>',
    '</testsuite>',
    '</testsuites>',
  ].join('\n');
}

/** GitHub-flavoured Markdown, for GITHUB_STEP_SUMMARY or a comment. */
export function toMarkdown(report: GateReport): string {
  const { reasons, counts, policy, execution, base } = report;
  const { critical, high, medium, low, info } = counts;
  return [
    `## ${titleOf(report)}: ${markdown(plain(execution.name, 200))}`,
    '',
    ...reasons.map((reason) => `- ${markdown(plain(reason, 500))}`),
    ...(reasons.length > 0 ? [''] : []),
    `| ${policy === undefined ? 'Results' : 'Findings that count'} | Critical | High | Medium | Low | Info |`,
    '| :-- | --: | --: | --: | --: | --: |',
    `| ${counts.total} | ${critical} | ${high} | ${medium} | ${low} | ${info} |`,
    '',
    `Target ${markdown(plain(execution.target, 200))}, execution \`${execution.id.replaceAll('`', '')}\`, ${execution.status}`,
    ...(base == null
      ? []
      : [`Compared with ${markdown(plain(base.name, 200))}, \`${base.id.replaceAll('`', '')}\``]),
  ].join('\n');
}

function titleOf({ passed, wouldPass }: GateReport): string {
  if (!passed) return '❌ Security gate not passed';
  return wouldPass ? '✅ Security gate passed' : '⚠️ Security gate passed, as its policy only reports';
}

/** Faults that mode LOG let pass. */
function lenienceOf({ passed, wouldPass, reasons }: GateReport): string[] {
  return passed && !wouldPass ? reasons.map((reason) => `Would fail: ${plain(reason)}`) : [];
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for XML 1.0, whose characters exclude most controls and lone surrogates. */
function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ufffd\u{10000}-\u{10ffff}]/gu, ' ')
    .replace(/[&<>"]/g, (character) => entities[character] as string);
}

/** Text that makes no markup, no link and no mention. */
function markdown(text: string): string {
  return text
    .replace(/[\\`*_{}[\]()<>#+!|~]/g, (character) => `\\${character}`)
    .replaceAll('@', '&#64;')
    .replaceAll('://', '&#58;//');
}
