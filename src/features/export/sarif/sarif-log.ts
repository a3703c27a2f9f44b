// Writes rows as a SARIF 2.1.0 log, a run for each scan. Rules are collected while results pass, so they stand behind them.
import { textOf } from '../../../infra/postgres/bulk/copy-text.js';
import { noTool } from '../../../reports/formats/own-result.js';
import type { ExportRow } from '../export.rows.js';
import { hasPath } from './sarif-place.js';
import { resultJson, suppressed } from './sarif-result.js';
import { SarifRules } from './sarif-rules.js';

/** A scan as a run names it. */
export interface Scan {
  target: string | null;
  tool: string | null;
  toolVersion: string | null;
  category: string | null;
}

/** The subject of a log. */
export interface SarifOptions {
  /** Whether the scan saw everything that it should have. */
  isComplete: boolean;
  /** The scan of an export without results; undefined for findings of several scans. */
  scan?: Scan | undefined;
  /** Set to keep to the limits of GitHub code scanning. */
  github?: {
    /** Whether the category of a run names the target: GitHub refuses two runs of one tool and category in a file. */
    hasTargets: boolean;
  };
}

/** GitHub shows so many results of a run, the worst first, and refuses a file with a run of more than 25,000. */
export const maxGithubResults = 5000;

/** Writes a log. */
export async function* sarifOf(
  batches: AsyncIterable<ExportRow[]>,
  options: SarifOptions,
): AsyncGenerator<string> {
  yield '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[';
  let run: SarifRun | undefined;
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) {
      if (run === undefined || run.scan.scan !== row.scan) {
        text += run === undefined ? '{"results":[' : `${run.end()},\n{"results":[`;
        run = new SarifRun(row, options);
      }
      text += run.add(row);
    }
    yield text;
  }
  if (run === undefined)
    yield `{"results":[${endOf(options.scan, [], { isComplete: options.isComplete })}]}\n`;
  else yield `${run.end()}]}\n`;
}

/** A run that is being written. */
class SarifRun {
  readonly #rules: SarifRules;
  #kept = 0;
  #beyond = 0;
  #placeless = 0;

  constructor(
    readonly scan: ExportRow,
    private readonly options: SarifOptions,
  ) {
    this.#rules = new SarifRules(options.github !== undefined);
  }

  /** The result with a comma ahead of it where it needs one; empty for a result that is left out. */
  add(row: ExportRow): string {
    const isForGithub = this.options.github !== undefined;
    if (isForGithub && !this.#isKept(row)) return '';
    this.#kept += 1;
    return `${this.#kept === 1 ? '' : ',\n'}${resultJson(row, this.#rules.indexOf(row), isForGithub)}`;
  }

  /** GitHub ignores suppressions and baseline states, and needs a place in a file. */
  #isKept(row: ExportRow): boolean {
    if (suppressed.has(row.triage)) return false;
    if (!hasPath(row.location)) {
      this.#placeless += 1;
      return false;
    }
    if (this.#kept < maxGithubResults) return true;
    this.#beyond += 1;
    return false;
  }

  end(): string {
    const { isComplete, github } = this.options;
    const notes = [];
    if (this.#beyond > 0)
      notes.push(
        `Kept the worst ${maxGithubResults} of ${this.#kept + this.#beyond} results, as GitHub does.`,
      );
    if (this.#placeless > 0)
      notes.push(`Left out ${this.#placeless} results without a path, which GitHub cannot show.`);
    return endOf(scanOf(this.scan), this.#rules.toJson(), {
      isComplete,
      notes,
      hasTarget: github?.hasTargets === true,
    });
  }
}

function scanOf({ target, tool, toolVersion, category }: ExportRow): Scan {
  return {
    target: textOf(target),
    tool: textOf(tool),
    toolVersion: textOf(toolVersion),
    category: textOf(category),
  };
}

interface RunEnd {
  isComplete: boolean;
  notes?: string[];
  hasTarget?: boolean;
}

/** A run behind its results. */
function endOf(
  scan: Scan | undefined,
  rules: object[],
  { isComplete, notes = [], hasTarget }: RunEnd,
): string {
  const { target = null, tool = null, toolVersion = null, category = null } = scan ?? {};
  const names = [category, hasTarget === true ? target : null].filter((name) => name !== null);
  const toolExecutionNotifications = notes.map((text) => ({ level: 'note', message: { text } }));
  const tail = JSON.stringify({
    columnKind: 'utf16CodeUnits',
    tool: { driver: { name: tool ?? noTool, ...(toolVersion !== null && { version: toolVersion }), rules } },
    invocations: [
      { executionSuccessful: isComplete, ...(notes.length > 0 && { toolExecutionNotifications }) },
    ],
    ...(names.length > 0 && { automationDetails: { id: `${names.join('/')}/` } }),
    ...(target !== null && { properties: { target } }),
  });
  return `],${tail.slice(1)}`;
}
