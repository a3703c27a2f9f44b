// Gitleaks' JSON (8 and 7): each leak is a finding of HIGH severity; the secret itself is masked.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { maskSecretIn } from '../../mask-secrets.js';
import type { ReportNotes } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { firstString, labelsOf, numberOf, objectOf, paragraphs, textFrom } from '../../text.js';

export const gitleaks: ReportFormat = {
  format: 'GITLEAKS',
  detect: ({ keys, isArray }) =>
    isArray &&
    ((keys.has('RuleID') && (keys.has('Match') || keys.has('Secret'))) ||
      (keys.has('Description') && keys.has('Secret') && keys.has('File')) ||
      (keys.has('offender') && keys.has('rule'))),
  read,
};

type Json = Record<string, unknown>;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'gitleaks';
  return readJsonItems(source, notes, (add) => ({
    select: (path, kind) => (path.length === 0 && kind === 'array' ? 'enter' : 'value'),
    onValue: (value, path) => {
      // A clean run writes [] or null.
      if (path.length === 0 && value === null) return;
      const leak = objectOf(value);
      const isLeak = leak !== undefined && ruleOf(leak) !== null;
      if (path.length === 0 || !isLeak)
        throw reportError('is no list of leaks', { pointer: pointerOf(path) });
      add(draftOf(leak), path);
    },
  }));
}

function ruleOf(leak: Json): string | null {
  return firstString(leak.RuleID, leak.rule, leak.Description);
}

function draftOf(leak: Json): DraftItem {
  const rule = ruleOf(leak);
  const secret = firstString(leak.Secret, leak.offender) ?? '';
  const line = firstString(leak.Match, leak.Line, leak.line);
  const code = line === null ? null : maskLine(line, secret);
  const commit = firstString(leak.Commit, leak.commit);
  return {
    title: firstString(leak.Description, leak.rule, leak.RuleID) ?? '',
    severity: 3,
    description: paragraphs(leak.Description, commit === null ? null : `Commit: ${commit}`),
    ruleId: rule,
    cweIds: [798],
    location: {
      path: firstString(leak.File, leak.file) ?? undefined,
      startLine: numberOf(leak.StartLine ?? leak.lineNumber),
      endLine: numberOf(leak.EndLine),
      startColumn: numberOf(leak.StartColumn),
      endColumn: numberOf(leak.EndColumn),
    },
    evidence: code,
    snippet: code,
    references: [leak.Link, leak.leakURL],
    tags: labelsOf(leak.Tags ?? leak.tags, /[,;]/),
    toolFingerprint: firstString(leak.Fingerprint),
    remediation: 'Revoke the secret and issue a new one; removing it from the code does not undo the leak.',
  };
}

/** The line with its secret masked, wholly where the secret does not stand in it as it is. */
function maskLine(line: string, secret: string): string {
  const masked = maskSecretIn(line, secret);
  const isKnown = masked !== line || textFrom(secret) === 'REDACTED' || line.includes('REDACTED');
  return isKnown ? masked : '********';
}
