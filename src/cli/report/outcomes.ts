// Shows the outcomes of imports as a table or JSON, and judges them.
import { type ExitCode, exitCodes, type Failure } from '../failure.js';
import { countsInWords, inWords, type Printer, plain } from '../output.js';
import { type Import, type Severity, severities } from '../queries.js';

/** The receipt of a report, or why the server refused it. */
export type Outcome = { file: string; receipt: Import } | { file: string; refusal: Failure };

const columns = ['Read', 'Added', 'New', 'Unchanged', 'Reopened', 'Absent', 'Duplicates', 'Skipped'];

/** Prints a table with a row for each report, then details of each; with `--json` all of it as one document. */
export function showOutcomes(printer: Printer, outcomes: readonly Outcome[]): void {
  if (printer.isJson) {
    printer.json({ imports: outcomes.map(toJson) });
    return;
  }
  printer.table(['Report', 'Format', ...columns], outcomes.map(toCells));
  for (const outcome of outcomes) {
    if ('receipt' in outcome) showReceipt(printer, outcome.file, outcome.receipt);
    else showRefusal(printer, outcome.file, outcome.refusal);
  }
}

function toJson(outcome: Outcome): object {
  if ('receipt' in outcome) return { file: outcome.file, ...outcome.receipt };
  const { code, message, fields, correlationId } = outcome.refusal;
  return { file: outcome.file, state: 'REFUSED', error: { code, message, fields, correlationId } };
}

function toCells(outcome: Outcome): string[] {
  if ('refusal' in outcome) return [tail(outcome.file), 'refused', ...columns.map(() => '-')];
  const { receipt } = outcome;
  return [
    ...[tail(outcome.file), receipt.format ?? '-'],
    ...[receipt.read, receipt.added, receipt.newFindings, receipt.unchangedFindings].map(String),
    ...[receipt.reopenedFindings, receipt.absentFindings, receipt.duplicates, receipt.skipped].map(String),
  ];
}

/** The end of a path says more than its beginning. */
function tail(file: string): string {
  const text = plain(file);
  return text.length > 40 ? `…${text.slice(-39)}` : text;
}

function showReceipt(printer: Printer, file: string, receipt: Import): void {
  const { execution, counts, warnings, warningCount, errorMessage, incomplete, skippedReasons } = receipt;
  printer.print(`${tail(file)}: ${execution.id}, ${inWords(counts.total)} (${countsInWords(counts)})`);
  if (skippedReasons.length > 0)
    printer.print(
      `  Skipped: ${skippedReasons.map(({ reason, count }) => `${count} ${plain(reason, 100)}`).join(', ')}`,
    );
  if (errorMessage !== null) printer.note(`  Failed: ${plain(errorMessage, 2000)}`);
  for (const reason of incomplete) printer.note(`  Incomplete run: ${plain(reason, 300)}`);
  for (const { message, pointer } of warnings.slice(0, 5))
    printer.note(`  Warning: ${plain(message, 300)}${!pointer ? '' : ` (${plain(pointer, 200)})`}`);
  if (warningCount > 5) printer.note(`  … and ${warningCount - 5} more warnings.`);
}

function showRefusal(
  printer: Printer,
  file: string,
  { message, code, fields, correlationId }: Failure,
): void {
  printer.note(`${tail(file)}: refused: ${plain(message, 2000)} (${code})`);
  for (const { path, message: reason } of fields ?? [])
    if (!message.includes(reason)) printer.note(`  ${plain(path, 200)} ${plain(reason, 300)}`);
  if (correlationId !== undefined)
    printer.note(`  Correlation id, as in the server's log: ${plain(correlationId)}`);
}

/** Says whether all reports passed, in words and as an exit code. */
export function conclude(
  printer: Printer,
  outcomes: readonly Outcome[],
  failOn: Severity | undefined,
): ExitCode {
  const receipts = outcomes.flatMap((outcome) => ('receipt' in outcome ? [outcome.receipt] : []));
  const refused = outcomes.length - receipts.length;
  const failed = receipts.filter(({ state }) => state === 'FAILED').length;
  const partial = receipts.filter(
    ({ state, incomplete }) => state !== 'FAILED' && incomplete.length > 0,
  ).length;
  if (refused > 0) printer.note(`Not passed: ${refused} of ${outcomes.length} reports were refused.`);
  if (failed > 0) printer.note(`Not passed: ${failed} of ${outcomes.length} imports failed.`);
  if (partial > 0) printer.note(`Not passed: ${partial} of ${outcomes.length} runs were incomplete.`);
  if (refused + failed + partial > 0) return exitCodes.notPassed;
  if (failOn === undefined) return exitCodes.ok;
  const found = severities
    .slice(severities.indexOf(failOn))
    .flatMap((name) => receipts.map(({ counts }) => counts[name.toLowerCase() as Lowercase<Severity>]))
    .reduce((sum, count) => sum + count, 0);
  printer.note(`${found === 0 ? 'Passed' : 'Not passed'}: ${inWords(found)} of ${failOn} or above.`);
  return found === 0 ? exitCodes.ok : exitCodes.notPassed;
}
