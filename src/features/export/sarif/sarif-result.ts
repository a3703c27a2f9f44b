// A row as a SARIF result. It carries what this server knows of it in `properties`, so that an import of the file gives the
// same result again (reports/formats/own-result.ts reads it). JSON is written by hand: a million results pass here.
import { toPublicId } from '../../../core/ids.js';
import { copyNull, jsonOfText } from '../../../infra/postgres/bulk/copy-text.js';
import { secTesterKey } from '../../../reports/formats/own-result.js';
import { decisionOf } from '../decision.js';
import type { ExportRow } from '../export.rows.js';
import { ownJson } from '../own-json.js';
import { locationsJson } from './sarif-place.js';
import { scores } from './sarif-rules.js';

const levels = ['note', 'note', 'warning', 'error', 'error'];

/** Decisions of people that suppress a result. */
export const suppressed: ReadonlySet<string> = new Set(['FALSE_POSITIVE', 'RISK_ACCEPTED']);

/** Rule of a result that names none: validators and GitHub expect one. An import takes the rule of {@link ownJson} instead. */
const noRule = 'secTester/none';

/**
 * A result as JSON.
 * @param ruleIndex undefined for a result without a rule
 * @param isForGithub leaves out what GitHub does not read, since it takes 10 MB
 */
export function resultJson(row: ExportRow, ruleIndex: number | undefined, isForGithub: boolean): string {
  const rank = Number(row.severity);
  const title = jsonOfText(row.title);
  const evidence = isForGithub ? 'null' : jsonOfText(row.evidence);
  const rule =
    ruleIndex === undefined
      ? `"ruleId":"${noRule}",`
      : `"ruleId":${jsonOfText(row.ruleId)},"ruleIndex":${ruleIndex},`;
  const state = row.baseline === copyNull ? '' : `,"baselineState":"${row.baseline}"`;
  const decided = suppressed.has(row.triage) ? `,"suppressions":[${suppressionJson(row)}]` : '';
  const triage = row.triage === copyNull ? '' : `,"triage":"${row.triage}"`;
  const own = isForGithub ? '' : `,"${secTesterKey}":${ownJson(row)}`;
  return `{${rule}"level":"${levels[rank]}","message":{"text":${title}},"locations":${locationsJson(row.location, evidence, isForGithub)}\
,"partialFingerprints":{${fingerprintsJson(row, isForGithub)}}${state}${decided}\
,"properties":{"security-severity":"${scores[rank]}"${triage}${own}}}`;
}

/** GitHub follows an alert by `primaryLocationLineHash`; the id of the finding outlives moved lines and changed code. */
function fingerprintsJson({ id, findingId }: ExportRow, isForGithub: boolean): string {
  const identity = findingId === copyNull ? id : findingId;
  const own = `"secTesterFinding/v1":"${toPublicId('Finding', identity)}"`;
  return isForGithub ? `"primaryLocationLineHash":"${identity.replaceAll('-', '')}:1",${own}` : own;
}

function suppressionJson(row: ExportRow): string {
  return JSON.stringify({ kind: 'external', status: 'accepted', justification: decisionOf(row) });
}
