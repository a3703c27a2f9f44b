// SARIF 2.1.0 (OASIS): one finding per place of a result whose kind is `fail` and that nobody suppressed.
// A first pass reads what results point to (rules, artifacts, bases), wherever it stands; a second one reads the results.
import type { ReportFormat, ReportHead, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, markUnreadable, type ReportNotes, skip } from '../../notes.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJson } from '../../read/read-json.js';
import { objectOf } from '../../text.js';
import { noTool, ownDraftOf } from '../own-result.js';
import { readInvocations } from './sarif-invocations.js';
import { itemsOfResult } from './sarif-result.js';
import { readSarifRuns, type SarifRun } from './sarif-runs.js';

export const sarif: ReportFormat = { format: 'SARIF', detect, read };

function detect({ keys, text }: ReportHead): boolean {
  return keys.has('runs') || /"\$schema"\s*:\s*"[^"]{0,300}sarif/i.test(text.slice(0, 4096));
}

async function* read(source: ReportSource, notes: ReportNotes): AsyncGenerator<ReportItem[]> {
  const runs = await readSarifRuns(source);
  stateFacts(runs, notes);
  let items: ReportItem[] = [];
  const select = (path: JsonPath, kind: JsonKind): Selection => {
    if (path.length < 3) return path.length === 0 || path[0] === 'runs' ? 'enter' : 'skip';
    if (path[2] !== 'results') return 'skip';
    if (path.length === 3) return kind === 'array' ? 'enter' : 'skip';
    return 'value';
  };
  const onValue = (value: unknown, path: JsonPath) => {
    const index = path[3];
    const runIndex = path[1];
    // Built for warnings only.
    const pointer = () => pointerOf(['runs', runIndex ?? 0, 'results', index ?? 0]);
    const result = objectOf(value);
    const run = runs[path[1] as number];
    if (result === undefined || run === undefined) {
      markUnreadable(notes, 'is no result', pointer());
      return;
    }
    const reason = reasonToSkip(result);
    if (reason === undefined) for (const item of itemsOfResult(run, result, notes, pointer)) items.push(item);
    else skip(notes, reason);
  };
  yield* readJson(source, { select, onValue }, () => {
    const ready = items;
    items = [];
    return ready;
  });
}

/** Why a result is no finding; undefined when it is one. */
function reasonToSkip(result: Record<string, unknown>): string | undefined {
  const { kind, baselineState, suppressions } = result;
  if (typeof kind === 'string' && kind !== 'fail') return `kind ${kind.slice(0, 40)}`;
  if (baselineState === 'absent') return 'absent';
  // Decisions that this server exported are its own: the finding keeps them.
  return isSuppressed(suppressions) && ownDraftOf(result) === undefined ? 'suppressed' : undefined;
}

/** SARIF 3.27.23 and 3.35.3: a suppression without a status is accepted; one under review or rejected suppresses nothing. */
function isSuppressed(suppressions: unknown): boolean {
  if (!Array.isArray(suppressions) || suppressions.length === 0) return false;
  return suppressions.every((suppression) => {
    const { status, state } = objectOf(suppression) ?? {};
    return (status ?? state ?? 'accepted') === 'accepted';
  });
}

function stateFacts(runs: readonly SarifRun[], notes: ReportNotes): void {
  const { facts } = notes;
  const tools = [...new Set(runs.flatMap(({ tool }) => (tool === null || tool === noTool ? [] : tool)))];
  // Sorted: the order of the runs in a log says nothing, and findings belong to the tool.
  facts.tool = tools.length === 0 ? null : tools.sort().join(' + ').slice(0, 200);
  const versions = new Set(runs.flatMap(({ toolVersion }) => toolVersion ?? []));
  facts.toolVersion = tools.length === 1 && versions.size === 1 ? ([...versions][0] ?? null) : null;
  if (runs.length === 0) markIncomplete(notes, 'The report has no runs: nothing was scanned.', '/runs');
  for (const [index, run] of runs.entries()) {
    const pointer = `/runs/${index}/results`;
    if (run.results === 'absent')
      markIncomplete(notes, `Run ${index + 1} has no results: nothing was scanned.`, pointer);
    if (run.results === 'invalid')
      markIncomplete(
        notes,
        `Run ${index + 1} has results that are no list, which is no valid SARIF.`,
        pointer,
      );
    if (run.hasExternalResults)
      markIncomplete(notes, `Run ${index + 1} keeps results in external files, which are not read.`, pointer);
    readInvocations(run, notes, `/runs/${index}/invocations`);
  }
}
