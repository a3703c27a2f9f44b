// Writes rows as NDJSON: a JSON object on each line, with every text as it is.
import { toPublicId } from '../../../core/ids.js';
import {
  copyNull,
  jsonOfList,
  jsonOfNumbers,
  jsonOfText,
  textOf,
  timeOf,
} from '../../../infra/postgres/bulk/copy-text.js';
import { severities } from '../../finding/finding.input.js';
import type { ExportRow } from '../export.rows.js';

/** Writes a JSON object on each line. */
export async function* ndjsonOf(batches: AsyncIterable<ExportRow[]>): AsyncGenerator<string> {
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) text += lineOf(row);
    yield text;
  }
}

function lineOf(row: ExportRow): string {
  const { id, findingId, location, acceptedUntil, firstSeenAt, dueAt, cvssScore } = row;
  const finding = findingId === copyNull ? 'null' : `"${toPublicId('Finding', findingId)}"`;
  const time = (field: string) => (field === copyNull ? 'null' : `"${timeOf(field)}"`);
  return `{"resultId":"${toPublicId('TestResult', id)}","findingId":${finding},"severity":"${severities[Number(row.severity)]}"\
,"reportedSeverity":"${severities[Number(row.reported)]}","title":${jsonOfText(row.title)},"triage":${jsonOfText(row.triage)}\
,"triageReason":${jsonOfText(row.triageReason)},"triageComment":${jsonOfText(row.triageComment)}\
,"acceptedUntil":${time(acceptedUntil)},"target":${jsonOfText(row.target)},"tool":${jsonOfText(row.tool)}\
,"category":${jsonOfText(row.category)},"ruleId":${jsonOfText(row.ruleId)},"cweIds":${jsonOfNumbers(row.cweIds)}\
,"cveIds":${jsonOfList(row.cveIds)},"vulnerabilityIds":${jsonOfList(row.vulnerabilityIds)}\
,"cvssVector":${jsonOfText(row.cvssVector)},"cvssScore":${cvssScore === copyNull ? 'null' : cvssScore}\
,"location":${textOf(location) ?? 'null'},"firstSeenAt":${time(firstSeenAt)},"dueAt":${time(dueAt)}\
,"description":${jsonOfText(row.description)},"evidence":${jsonOfText(row.evidence)},"remediation":${jsonOfText(row.remediation)}\
,"references":${jsonOfList(row.references)},"tags":${jsonOfList(row.tags)},"baselineState":${jsonOfText(row.baseline)}}\n`;
}
