// The notes of an import: warnings, skipped entries with reasons, and whether the run was complete.
import { maskSecrets } from './mask-secrets.js';

/** A warning for the receipt; `pointer` is a JSON Pointer, or `line:column` for XML and CSV. */
export interface ReportWarning {
  message: string;
  pointer: string | null;
}

/** Facts of the run that a report states. */
export interface ReportFacts {
  tool: string | null;
  toolVersion: string | null;
  /** Reasons why the run is not whole; an incomplete run closes no finding and passes no gate. */
  incomplete: string[];
  /** Files that the tool could not read: their findings stay as they are. */
  unreadPaths: Set<string>;
}

/** Collected while a report is read. */
export interface ReportNotes {
  facts: ReportFacts;
  /** The first hundred. */
  warnings: ReportWarning[];
  warningCount: number;
  /** Results that the report holds. */
  read: number;
  /** Reason → how many of what the report holds are no findings. */
  skipped: Map<string, number>;
}

/** Most warnings that a receipt keeps; all are counted. */
export const maxWarnings = 100;
const maxPaths = 10_000;
const maxReasons = 50;

/** Creates empty notes. */
export function createNotes(): ReportNotes {
  return {
    facts: { tool: null, toolVersion: null, incomplete: [], unreadPaths: new Set() },
    warnings: [],
    warningCount: 0,
    read: 0,
    skipped: new Map(),
  };
}

/** Adds a warning; beyond a hundred it is only counted. */
export function warn(notes: ReportNotes, message: string, pointer: string | null = null): void {
  notes.warningCount += 1;
  if (notes.warnings.length < maxWarnings)
    notes.warnings.push({
      message: maskSecrets(message.slice(0, 500)),
      pointer: pointer?.slice(0, 500) ?? null,
    });
}

/** Counts a part of the report that is no finding; reasons quote words of reports, so beyond fifty they are "other". */
export function skip(notes: ReportNotes, reason: string): void {
  const isKept = notes.skipped.has(reason) || notes.skipped.size < maxReasons;
  const key = isKept ? reason : 'other';
  notes.skipped.set(key, (notes.skipped.get(key) ?? 0) + 1);
}

/** Notes a reason why the run is not whole, once. */
export function markIncomplete(notes: ReportNotes, reason: string, pointer: string | null = null): void {
  const text = maskSecrets(reason.slice(0, 300));
  if (notes.facts.incomplete.includes(text)) return;
  if (notes.facts.incomplete.length < 20) notes.facts.incomplete.push(text);
  warn(notes, text, pointer);
}

/** Notes an entry that cannot be read: it may be a finding that is present, so the run closes none. */
export function markUnreadable(notes: ReportNotes, message: string, pointer: string): void {
  warn(notes, message, pointer);
  const reason = 'The report has entries that cannot be read.';
  if (!notes.facts.incomplete.includes(reason)) notes.facts.incomplete.push(reason);
}

/** Notes a file that the tool could not read. Of too many, not all are kept: then the run is not whole. */
export function markUnread(notes: ReportNotes, path: string): void {
  const { unreadPaths } = notes.facts;
  if (unreadPaths.has(path) || unreadPaths.size < maxPaths) unreadPaths.add(path);
  else markIncomplete(notes, `The tool could not read more than ${maxPaths} files.`);
}
