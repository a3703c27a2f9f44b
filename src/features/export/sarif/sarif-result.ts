// A row as a SARIF result. It carries what this server knows of it in `properties`, so that an import of the file gives the
// same result again (reports/formats/sarif/sarif-own.ts reads it). JSON is written by hand: a million results pass here.
import { toPublicId } from '../../../core/ids.js';
import {
  copyNull,
  jsonOfList,
  jsonOfNumbers,
  jsonOfText,
  textOf,
  timeOf,
} from '../../../infra/postgres/bulk/copy-text.js';
import { secTesterKey } from '../../../reports/formats/sarif/sarif-own.js';
import type { ExportRow } from '../export.rows.js';
import { locationsJson } from './sarif-place.js';
import { scores } from './sarif-rules.js';

const levels = ['note', 'note', 'warning', 'error', 'error'];

/** Decisions of people that suppress a result. */
export const suppressed: ReadonlySet<string> = new Set(['FALSE_POSITIVE', 'RISK_ACCEPTED']);

/**
 * A result as JSON.
 * @param ruleIndex undefined for a result without a rule
 * @param isForGithub leaves out what GitHub does not read, since it takes 10 MB
 */
export function resultJson(row: ExportRow, ruleIndex: number | undefined, isForGithub: boolean): string {
  const rank = Number(row.severity);
  const title = jsonOfText(row.title);
  const evidence = isForGithub ? 'null' : jsonOfText(row.evidence);
  const rule = ruleIndex === undefined ? '' : `"ruleId":${jsonOfText(row.ruleId)},"ruleIndex":${ruleIndex},`;
  const state = row.baseline === copyNull ? '' : `,"baselineState":"${row.baseline}"`;
  const decided = suppressed.has(row.triage) ? `,"suppressions":[${suppressionJson(row)}]` : '';
  const triage = row.triage === copyNull ? '' : `,"triage":"${row.triage}"`;
  const own = isForGithub ? '' : `,"${secTesterKey}":${ownJson(row, title, evidence)}`;
  return `{${rule}"level":"${levels[rank]}","message":{"text":${title}},"locations":${locationsJson(row.location, evidence)}\
,"partialFingerprints":{${fingerprintsJson(row, isForGithub)}}${state}${decided}\
,"properties":{"security-severity":"${scores[rank]}"${triage}${own}}}`;
}

/** GitHub follows an alert by `primaryLocationLineHash`; the id of the finding outlives moved lines and changed code. */
function fingerprintsJson({ id, findingId }: ExportRow, isForGithub: boolean): string {
  const identity = findingId === copyNull ? id : findingId;
  const own = `"secTesterFinding/v1":"${toPublicId('Finding', identity)}"`;
  return isForGithub ? `"primaryLocationLineHash":"${identity.replaceAll('-', '')}:1",${own}` : own;
}

function suppressionJson({ triage, triageReason, triageComment, acceptedUntil }: ExportRow): string {
  const until = acceptedUntil === copyNull ? null : `until ${timeOf(acceptedUntil)}`;
  const parts = [textOf(triageReason), textOf(triageComment), until].filter(
    (part) => part !== null && part !== '',
  );
  const decision = triage === 'FALSE_POSITIVE' ? 'False positive' : 'Risk accepted';
  return JSON.stringify({
    kind: 'external',
    status: 'accepted',
    justification: [decision, ...parts].join(': '),
  });
}

/** The result as the tool reported it; what is absent is left out. */
function ownJson(row: ExportRow, title: string, evidence: string): string {
  const { cweIds, cveIds, vulnerabilityIds, location } = row;
  let json = `{"title":${title},"severity":${row.reported}`;
  if (row.description !== copyNull)
    json += `,"description":${row.description === row.title ? title : jsonOfText(row.description)}`;
  if (row.ruleId !== copyNull) json += `,"ruleId":${jsonOfText(row.ruleId)}`;
  if (cweIds !== '{}') json += `,"cweIds":${jsonOfNumbers(cweIds)}`;
  if (cveIds !== '{}' || vulnerabilityIds !== '{}')
    json += `,"vulnerabilityIds":${idsJson(cveIds, vulnerabilityIds)}`;
  if (row.cvssVector !== copyNull) json += `,"cvssVector":${jsonOfText(row.cvssVector)}`;
  if (row.cvssScore !== copyNull) json += `,"cvssScore":${row.cvssScore}`;
  if (location !== copyNull) json += `,"location":${textOf(location)}`;
  if (evidence !== 'null') json += `,"evidence":${evidence}`;
  if (row.remediation !== copyNull) json += `,"remediation":${jsonOfText(row.remediation)}`;
  if (row.references !== '{}') json += `,"references":${jsonOfList(row.references)}`;
  if (row.tags !== '{}') json += `,"tags":${jsonOfList(row.tags)}`;
  return `${json}}`;
}

function idsJson(cveIds: string, otherIds: string): string {
  if (otherIds === '{}') return jsonOfList(cveIds);
  if (cveIds === '{}') return jsonOfList(otherIds);
  return `${jsonOfList(cveIds).slice(0, -1)},${jsonOfList(otherIds).slice(1)}`;
}
