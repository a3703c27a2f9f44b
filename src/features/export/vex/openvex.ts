// Writes rows with ids of vulnerabilities as an OpenVEX 0.2.0 document, a statement for each finding.
import { randomUUID } from 'node:crypto';
import { AppError } from '../../../core/errors.js';
import { copyNull, textOf } from '../../../infra/postgres/bulk/copy-text.js';
import { noTool } from '../../../reports/formats/own-result.js';
import { decisionOf } from '../decision.js';
import type { ExportRow } from '../export.rows.js';
import { productIri } from './purl.js';
import { componentOf, idsOf, type VexOptions } from './vex-row.js';

/**
 * Writes a document.
 * @throws NOT_FOUND, before the first part, without a vulnerability: OpenVEX has no document without statements
 */
export async function* openVexOf(
  batches: AsyncIterable<ExportRow[]>,
  options: VexOptions,
): AsyncGenerator<string> {
  let count = 0;
  for await (const rows of batches) {
    let text = '';
    for (const row of rows) {
      const ids = idsOf(row);
      if (ids.length > 0)
        text += `${count++ === 0 ? headOf(options) : ',\n'}${JSON.stringify(statementOf(row, ids, options))}`;
    }
    if (text !== '') yield text;
  }
  if (count === 0)
    throw new AppError('NOT_FOUND', {
      message: 'No result has the id of a vulnerability, and OpenVEX has no document without statements.',
    });
  yield ']}\n';
}

function headOf({ author, at }: VexOptions): string {
  const head = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': `urn:uuid:${randomUUID()}`,
    author,
    timestamp: at.toISOString(),
    version: 1,
    tooling: noTool,
  };
  return `${JSON.stringify(head).slice(0, -1)},"statements":[`;
}

function statementOf(
  row: ExportRow,
  [name = '', ...aliases]: readonly string[],
  options: VexOptions,
): object {
  const component = componentOf(row);
  const product = productIri(options.product ?? textOf(row.target) ?? '');
  return {
    '@id': `urn:uuid:${row.findingId === copyNull ? row.id : row.findingId}`,
    vulnerability: { name, ...(aliases.length > 0 && { aliases: [...new Set(aliases)] }) },
    products: [{ '@id': product, ...(component !== null && { subcomponents: [{ '@id': component.purl }] }) }],
    ...statusOf(row, options.areAbsent),
  };
}

/** The status with the text that OpenVEX demands of it. */
function statusOf(row: ExportRow, isAbsent: boolean): object {
  if (row.triage === 'FALSE_POSITIVE') return { status: 'not_affected', impact_statement: decisionOf(row) };
  if (isAbsent) return { status: 'fixed', status_notes: 'No scan sees it any more.' };
  switch (row.triage) {
    case 'RESOLVED':
      return { status: 'fixed', status_notes: decisionOf(row) };
    case 'RISK_ACCEPTED':
      return { status: 'affected', action_statement: decisionOf(row) };
    case 'CONFIRMED':
      return {
        status: 'affected',
        status_notes: decisionOf(row),
        action_statement:
          textOf(row.remediation) ?? 'Update or replace the component. The tool names no fixed version.',
      };
    default:
      return { status: 'under_investigation' };
  }
}
