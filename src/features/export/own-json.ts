// A row as JSON in the words of this server, which formats carry in a property so that an import gives the same result again
// (reports/formats/own-result.ts reads it).
import {
  copyNull,
  jsonOfList,
  jsonOfNumbers,
  jsonOfText,
  textOf,
} from '../../infra/postgres/bulk/copy-text.js';
import type { ExportRow } from './export.rows.js';

/** The result as the tool reported it; what is absent is left out. */
export function ownJson(row: ExportRow): string {
  const title = jsonOfText(row.title);
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
  if (row.evidence !== copyNull) json += `,"evidence":${jsonOfText(row.evidence)}`;
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
