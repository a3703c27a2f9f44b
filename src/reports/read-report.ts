// Reads a report of any supported format: the way in for imports.
import { detectFormat, refuseOtherFormat } from './detect.js';
import type { ReportFormat, ReportFormatName, ReportSource } from './format.js';
import { bandit } from './formats/code/bandit.js';
import { checkov } from './formats/code/checkov.js';
import { cppcheck } from './formats/code/cppcheck.js';
import { eslint } from './formats/code/eslint.js';
import { gitleaks } from './formats/code/gitleaks.js';
import { semgrep } from './formats/code/semgrep.js';
import { cyclonedx } from './formats/components/cyclonedx.js';
import { grype } from './formats/components/grype.js';
import { npmAudit } from './formats/components/npm-audit.js';
import { trivy } from './formats/components/trivy.js';
import { genericCsv } from './formats/general/generic-csv.js';
import { genericJson } from './formats/general/generic-json.js';
import { gitlab } from './formats/general/gitlab.js';
import { junit } from './formats/general/junit.js';
import { sarif } from './formats/sarif/sarif.js';
import { burp } from './formats/web/burp.js';
import { nmap } from './formats/web/nmap.js';
import { nuclei } from './formats/web/nuclei.js';
import { testssl } from './formats/web/testssl.js';
import { zapJson } from './formats/web/zap-json.js';
import { zapXml } from './formats/web/zap-xml.js';
import type { ReportItem } from './item.js';
import type { ReportNotes } from './notes.js';
import { reportError } from './report-error.js';

/** All formats by their names, in the order in which they are asked whether a report is theirs. */
export const formats: ReadonlyMap<ReportFormatName, ReportFormat> = new Map(
  [
    sarif,
    cyclonedx,
    trivy,
    grype,
    npmAudit,
    zapJson,
    zapXml,
    nuclei,
    burp,
    nmap,
    testssl,
    semgrep,
    bandit,
    checkov,
    gitleaks,
    eslint,
    cppcheck,
    gitlab,
    junit,
    genericJson,
    genericCsv,
  ].map((format) => [format.format, format]),
);

/** A report whose format is known; `read` yields its results in batches, in the order of the report. */
export interface OpenReport {
  format: ReportFormatName;
  /** @throws VALIDATION_FAILED with the place of a fault */
  read: (notes: ReportNotes) => AsyncIterable<ReportItem[]>;
}

/**
 * Opens a report as `format`, or as the format that its content shows.
 * @throws VALIDATION_FAILED when no format recognises it, or when it is plainly of another format than the named one
 */
export async function openReport(
  source: ReportSource,
  format: ReportFormatName | undefined,
): Promise<OpenReport> {
  const all = [...formats.values()];
  const found = format === undefined ? await detectFormat(source, all) : formats.get(format);
  if (found === undefined) throw reportError(`cannot be read: the format ${format} is not supported`);
  if (format !== undefined) await refuseOtherFormat(source, found, all);
  return { format: found.format, read: (notes) => found.read(source, notes) };
}

/**
 * Reads a report whose format is named or found by its content.
 * @throws VALIDATION_FAILED with the place of a fault
 */
export async function* readReport({
  source,
  format,
  notes,
}: {
  source: ReportSource;
  format?: ReportFormatName;
  notes: ReportNotes;
}): AsyncGenerator<ReportItem[]> {
  const report = await openReport(source, format);
  yield* report.read(notes);
}
