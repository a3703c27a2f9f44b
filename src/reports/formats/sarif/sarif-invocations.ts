// Reads the success of a SARIF run: a failed or killed run is incomplete, and so is one with an error of its tool (appendix I of SARIF
// 2.1.0), even where it claims success; errors of single files keep the findings of these.
import { markIncomplete, markUnread, type ReportNotes, warn } from '../../notes.js';
import { objectOf, objectsOf, textOf } from '../../text.js';
import { placesOf } from './sarif-place.js';
import type { Json, SarifRun } from './sarif-runs.js';

/** Notes whether the run was whole. */
export function readInvocations(run: SarifRun, notes: ReportNotes, pointer: string): void {
  for (const [index, invocation] of run.invocations.entries()) {
    const errors = [
      ...objectsOf(invocation.toolExecutionNotifications),
      ...objectsOf(invocation.toolConfigurationNotifications),
    ].filter(({ level }) => level === 'error');
    const paths = errors.map((notification) => pathsOf(run, notification));
    const isKilled = invocation.exitSignalName != null || invocation.processStartFailureMessage != null;
    if (invocation.executionSuccessful !== false && !isKilled && errors.length === 0) continue;
    const isLimitedToFiles = !isKilled && errors.length > 0 && paths.every((found) => found.length > 0);
    const place = `${pointer}/${index}`;
    if (!isLimitedToFiles) {
      markIncomplete(notes, reasonOf(invocation, errors), place);
      continue;
    }
    for (const path of paths.flat()) {
      markUnread(notes, path);
      warn(notes, `The tool could not read ${path}: its findings stay as they are.`, place);
    }
  }
}

function pathsOf(run: SarifRun, notification: Json): string[] {
  return placesOf(run, notification).flatMap(({ location }) => location?.path ?? []);
}

function reasonOf(invocation: Json, errors: readonly Json[]): string {
  const { exitCodeDescription, exitSignalName, processStartFailureMessage } = invocation;
  const texts = [exitCodeDescription, exitSignalName, processStartFailureMessage].concat(
    errors.map(({ message }) => objectOf(message)?.text),
  );
  const reason = texts.flatMap((text) => textOf(text, 200) ?? []).join('; ');
  return reason === ''
    ? 'The tool reports that its run failed.'
    : `The tool reports that its run failed: ${reason}`;
}
