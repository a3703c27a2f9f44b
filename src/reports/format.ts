// The interface of a report format: recognition and reading.
import type { ReportItem } from './item.js';
import type { ReportNotes } from './notes.js';

/** Formats by their names in the API. */
export const reportFormats = [
  'SARIF',
  'CYCLONEDX',
  'GITLAB',
  'ZAP_JSON',
  'ZAP_XML',
  'NUCLEI',
  'TRIVY',
  'GRYPE',
  'SEMGREP',
  'GITLEAKS',
  'BANDIT',
  'CHECKOV',
  'NPM_AUDIT',
  'ESLINT',
  'CPPCHECK_XML',
  'NMAP_XML',
  'TESTSSL',
  'BURP_XML',
  'JUNIT',
  'GENERIC_JSON',
  'GENERIC_CSV',
] as const;
export type ReportFormatName = (typeof reportFormats)[number];

/** A report that can be read more than once, as UTF-8 bytes without a byte order mark. */
export interface ReportSource {
  open: () => AsyncIterable<Uint8Array>;
}

/** The beginning of a report, for recognising its format. */
export interface ReportHead {
  /** The first 64 KiB, decoded. */
  text: string;
  kind: 'json' | 'xml' | 'text';
  /**
   * JSON: keys down to the third level, joined by dots, without the indexes of arrays: `runs`, `runs.tool`.
   * The keys of the elements of a root array stand at the first level.
   */
  keys: ReadonlySet<string>;
  /** JSON: strings, numbers, booleans and null by their keys as in `keys`, each the first one. */
  values: ReadonlyMap<string, unknown>;
  /** JSON: whether the root is an array. */
  isArray: boolean;
  /** Name of the XML root element; undefined for anything else. */
  xmlRoot: string | undefined;
  xmlAttributes: Readonly<Record<string, string>>;
  /** CSV: the names of the columns in lower case, without blanks, hyphens and underscores. */
  columns: readonly string[];
}

/** A report format. */
export interface ReportFormat {
  format: ReportFormatName;
  /** Whether a report is of this format. */
  detect: (head: ReportHead) => boolean;
  /**
   * Yields the results in batches, in the order of the report.
   * @throws VALIDATION_FAILED with the place of a fault
   */
  read: (source: ReportSource, notes: ReportNotes) => AsyncIterable<ReportItem[]>;
}
