// Lines of testssl.sh as drafts, and its statements about the run.
import type { DraftItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import { severityFromWord } from '../../severity.js';
import { cwesIn, idsIn } from '../../vulnerability-ids.js';

/** One line; absent cells are empty. */
export interface TestsslRow {
  id: string;
  /** `name/ip`; `/` for a line about the run. */
  address: string;
  port: string;
  severity: string;
  finding: string;
  cve: string;
  cwe: string;
}

const findings = new Set(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']);
const runLines = new Set(['engine_problem', 'scanProblem', 'scanTime']);

/** Takes the lines of a report one after another. */
export function createTestsslRows(notes: ReportNotes) {
  let tested = 0;
  return {
    /** The draft of a line; null of one that is no finding. */
    take(row: TestsslRow, place: string): DraftItem | null {
      const severity = row.severity.toUpperCase();
      if (severity === 'FATAL' || row.id === 'scanProblem')
        markIncomplete(notes, `testssl.sh failed: ${row.finding}`, place);
      else if (row.id === 'scanTime' && severity === 'WARN')
        markIncomplete(notes, `testssl.sh did not finish: ${row.finding}`, place);
      if (!runLines.has(row.id) && row.address !== '/' && row.address !== '') tested += 1;
      if (findings.has(severity)) return draftOf(row);
      skip(notes, `severity ${severity.slice(0, 20) || 'none'}`);
      return null;
    },
    /** The statement at the end of a pretty report: seconds, or that it was interrupted. */
    takeEnd(text: string, place: string): void {
      if (!/^\d+$/.test(text)) markIncomplete(notes, `testssl.sh did not finish: ${text}`, place);
    },
    /** Called behind the last line. */
    end(): void {
      if (tested === 0) markIncomplete(notes, 'testssl.sh tested no host.');
    },
  };
}

function draftOf(row: TestsslRow): DraftItem {
  const [name = '', ip = ''] = row.address.split('/');
  const host = name || ip;
  return {
    title: `${row.id}: ${row.finding}`,
    severity: severityFromWord(row.severity) ?? 0,
    description: row.finding,
    ruleId: row.id,
    // One cell may hold several ids between blanks.
    cweIds: cwesIn(row.cwe.split(/\s+/)),
    vulnerabilityIds: idsIn(row.cve.split(/\s+/)),
    location: { host: row.port === '' ? host : `${host}:${row.port}` },
    // The addresses behind one name are tested one by one.
    evidence: [row.address, row.port].filter((part) => part !== '').join(':'),
  };
}
