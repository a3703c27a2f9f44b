// Shapes and limits of result input, shared by GraphQL and the importers.
import { z } from 'zod';
import { enumOf, idOf, int, line, text } from '../../validation/fields.js';
import { executionOrder } from '../execution/execution.input.js';

/** Lowest first: the index is the rank that is stored. */
export const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;
export type Severity = (typeof severities)[number];

export const severity = enumOf('Severity', 'How bad a finding is, in rising order.', {
  INFO: 'Worth knowing; CVSS 0.0.',
  LOW: 'CVSS 0.1 to 3.9.',
  MEDIUM: 'CVSS 4.0 to 6.9.',
  HIGH: 'CVSS 7.0 to 8.9.',
  CRITICAL: 'CVSS 9.0 to 10.0.',
});

const lineNumber = int(1, 2_147_483_647);

export const locationInput = z
  .strictObject({
    path: line(1, 2000).nullish().describe('File, relative to the repository or image.'),
    startLine: lineNumber.nullish().describe('First line, from 1.'),
    startColumn: lineNumber.nullish().describe('First column, from 1.'),
    endLine: lineNumber.nullish().describe('Last line.'),
    endColumn: lineNumber.nullish().describe('Last column.'),
    url: line(1, 4000).nullish().describe('Address of the request.'),
    method: line(1, 20).nullish().describe('HTTP method.'),
    parameter: line(1, 500).nullish().describe('Parameter, header or field.'),
    component: line(1, 500).nullish().describe('Package or component, with its version.'),
    host: line(1, 500).nullish().describe('Host, with its port where it matters.'),
  })
  .meta({ graphql: 'LocationInput', description: 'Where a finding is.' });
export type LocationInput = z.output<typeof locationInput>;

export const resultInput = z
  .strictObject({
    title: line(1, 500).describe('The finding in one line.'),
    description: text(20_000).nullish().describe('What was found and why it matters.'),
    severity: severity.describe('How bad it is.'),
    ruleId: line(1, 300).nullish().describe('The tool’s rule or check.'),
    cweIds: z.array(int(1, 99_999)).max(50).nullish().describe('CWE numbers, for example 79.'),
    cveIds: z
      .array(z.string().regex(/^CVE-\d{4}-\d{4,19}$/, 'is not a CVE id'))
      .max(100)
      .nullish()
      .describe('CVE ids, for example CVE-2021-44228.'),
    cvssVector: line(1, 400).nullish().describe('CVSS 3.1 or 4.0 vector; its score is computed.'),
    location: locationInput.nullish().describe('Where it is.'),
    evidence: text(50_000).nullish().describe('Request, response or code that shows it.'),
    remediation: text(20_000).nullish().describe('How to mend it.'),
    references: z.array(line(1, 2000)).max(50).nullish().describe('Further reading, as URLs.'),
    tags: z.array(line(1, 100)).max(50).nullish().describe('Free labels.'),
    fingerprint: line(1, 200)
      .nullish()
      .describe('Stable identity across runs; computed from tool, rule, location and title when left out.'),
  })
  .meta({ graphql: 'ResultInput', description: 'One finding.' });
export type ResultInput = z.output<typeof resultInput>;

export const addResultsInput = z
  .strictObject({
    executionId: idOf('TestExecution').describe('The running execution.'),
    batchKey: line(1, 200)
      .nullish()
      .describe('Names the batch: a repeated call with the same key adds nothing.'),
    results: z
      .array(resultInput)
      .min(1, 'must have at least 1 result')
      .max(1000, 'must have at most 1000 results')
      .describe('1 to 1,000 findings.'),
  })
  .describe('Findings of a running execution.');
export type AddResultsInput = z.output<typeof addResultsInput>;

export const resultFilter = z
  .strictObject({
    executionId: idOf('TestExecution').nullish().describe('Of this execution.'),
    severity: z.array(severity).max(5).nullish().describe('Any of these severities.'),
    ruleId: line(1, 300).nullish().describe('Of exactly this rule.'),
    cweId: int(1, 99_999).nullish().describe('With this CWE.'),
    search: line(1, 200).nullish().describe('Part of the title or rule, in any case.'),
    fingerprint: line(1, 200).nullish().describe('With exactly this fingerprint.'),
  })
  .describe('Which results; conditions are joined by and.');
export type ResultFilter = z.output<typeof resultFilter>;

export const resultOrder = z
  .strictObject({
    field: enumOf('ResultOrderField', 'What results are ordered by.', {
      SEVERITY: 'How bad it is.',
      CREATED_AT: 'When it was added.',
    }).describe('What to order by.'),
    direction: executionOrder.shape.direction,
  })
  .describe('The order of results.');
export type ResultOrder = z.output<typeof resultOrder>;
