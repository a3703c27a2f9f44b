// One result of a report in the model of this server, and the limits that it is cut to.

/** 0 INFO, 1 LOW, 2 MEDIUM, 3 HIGH, 4 CRITICAL. */
export type SeverityRank = 0 | 1 | 2 | 3 | 4;

/** Where a result is; lines and columns count from 1. */
export interface ItemLocation {
  path?: string;
  startLine?: number;
  startColumn?: number;
  endLine?: number;
  endColumn?: number;
  url?: string;
  method?: string;
  parameter?: string;
  component?: string;
  host?: string;
}

/** One result as a format reads it, before limits are applied; absent parts are null or empty. */
export interface DraftItem {
  title: string;
  severity: SeverityRank;
  description?: string | null;
  ruleId?: string | null;
  cweIds?: readonly number[];
  /** Ids of any scheme (CVE, GHSA, RUSTSEC …) as the report writes them. */
  vulnerabilityIds?: readonly string[];
  cvssVector?: string | null;
  cvssScore?: number | null;
  location?: ItemLocation | null;
  evidence?: string | null;
  remediation?: string | null;
  references?: readonly unknown[];
  tags?: readonly unknown[];
  /** The tool's own identity of the result, which need not be unique. */
  toolFingerprint?: string | null;
  /** Text of the line or part that was found, for matching across runs; it is not stored. */
  snippet?: string | null;
  /** The tool that reports it, where one report holds the results of several. */
  tool?: string | null;
  toolVersion?: string | null;
}

/** One result within all limits. */
export interface ReportItem {
  title: string;
  severity: SeverityRank;
  description: string | null;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  vulnerabilityIds: string[];
  cvssVector: string | null;
  cvssScore: number | null;
  location: ItemLocation | null;
  evidence: string | null;
  remediation: string | null;
  references: string[];
  tags: string[];
  toolFingerprint: string | null;
  snippet: string | null;
}

/** Largest sizes: texts in UTF-16 code units, lists in entries. */
export const itemLimits = {
  title: 500,
  description: 20_000,
  ruleId: 300,
  cvssVector: 400,
  evidence: 50_000,
  remediation: 20_000,
  reference: 2000,
  references: 50,
  tag: 100,
  tags: 50,
  cweIds: 50,
  vulnerabilityId: 100,
  vulnerabilityIds: 100,
  path: 2000,
  url: 4000,
  method: 20,
  parameter: 500,
  component: 500,
  host: 500,
  toolFingerprint: 500,
  snippet: 4000,
} as const;
