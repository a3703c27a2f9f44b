// Shapes and limits of the input of results, for GraphQL and imports.
import { z } from 'zod';
import {
  dateTime,
  enumOf,
  idOf,
  int,
  line,
  objectOf,
  orderInput,
  searchTerm,
  text,
} from '../../validation/fields.js';
import { testKind } from '../execution/execution.input.js';
import { isVulnerabilityId, maxVulnerabilityIdLength } from './vulnerability-ids.js';

/** Lowest first: the index is the rank that is stored. */
export const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;
export type Severity = (typeof severities)[number];

/** Largest batch of addResults. */
export const maxBatchResults = 1000;

export const severity = enumOf('Severity', 'Severity of a result, in ascending order.', {
  INFO: 'Informational; CVSS 0.0.',
  LOW: 'CVSS 0.1 to 3.9.',
  MEDIUM: 'CVSS 4.0 to 6.9.',
  HIGH: 'CVSS 7.0 to 8.9.',
  CRITICAL: 'CVSS 9.0 to 10.0.',
});

const lineNumber = int(1, 2_147_483_647);
const vulnerabilityId = line(1, maxVulnerabilityIdLength).refine(
  isVulnerabilityId,
  'is not the id of a vulnerability',
);
export const locationInput = z
  .strictObject({
    path: line(1, 2000).nullish().describe('File, relative to the repository or image.'),
    startLine: lineNumber.nullish().describe('First line, from 1.'),
    startColumn: lineNumber.nullish().describe('First column, from 1.'),
    endLine: lineNumber.nullish().describe('Last line.'),
    endColumn: lineNumber.nullish().describe('Last column.'),
    url: line(1, 4000).nullish().describe('URL of the request.'),
    method: line(1, 20).nullish().describe('HTTP method.'),
    parameter: line(1, 500).nullish().describe('Parameter, header or field.'),
    component: line(1, 500).nullish().describe('Package or component, with its version.'),
    host: line(1, 500).nullish().describe('Host, with its port where it matters.'),
  })
  .meta({ graphql: 'LocationInput', description: 'Location of a result.' });
export type LocationInput = z.output<typeof locationInput>;

export const resultInput = z
  .strictObject({
    title: line(1, 500).describe('The result in one line.'),
    description: text(20_000).nullish().describe('The weakness, and why it matters.'),
    severity: severity.describe('Severity.'),
    ruleId: line(1, 300).nullish().describe('Rule or check of the tool.'),
    cweIds: z.array(int(1, 99_999)).max(50).nullish().describe('CWE numbers, for example 79.'),
    cveIds: z
      .array(vulnerabilityId)
      .max(100)
      .nullish()
      .describe(
        'CVE ids in any case, for example CVE-2021-44228; ids of other schemes are moved to vulnerabilityIds.',
      ),
    vulnerabilityIds: z
      .array(vulnerabilityId)
      .max(100)
      .nullish()
      .describe('Ids of any scheme, for example GHSA-jfh8-c2jp-5v3q or RUSTSEC-2021-0003.'),
    cvssVector: line(1, 400)
      .nullish()
      .describe('CVSS vector of version 2.0, 3.0, 3.1 or 4.0; the server computes its score.'),
    cvssScore: z
      .number()
      .min(0, 'must be at least 0')
      .max(10, 'must be at most 10')
      .nullish()
      .describe('Score, 0.0 to 10.0, for a result without a vector; a vector overrides it.'),
    location: locationInput.nullish().describe('Location.'),
    evidence: text(50_000).nullish().describe('Request, response or code that proves the result.'),
    remediation: text(20_000).nullish().describe('How to fix it.'),
    references: z.array(line(1, 2000)).max(50).nullish().describe('Further reading, as URLs.'),
    tags: z.array(line(1, 100)).max(50).nullish().describe('Free labels.'),
    fingerprint: line(1, 200)
      .nullish()
      .describe(
        'Identity across runs of the tool; computed from tool, rule, location and title when absent.',
      ),
  })
  .meta({ graphql: 'ResultInput', description: 'One result.' });
export type ResultInput = z.output<typeof resultInput>;

export const addResultsInput = objectOf('Results of a running execution.', {
  executionId: idOf('TestExecution').describe('The running execution.'),
  batchKey: line(1, 200)
    .nullish()
    .describe(
      'Names the batch: repeating it adds nothing. Error IDEMPOTENCY_KEY_REUSED for another batch under the same key.',
    ),
  onInvalid: enumOf('OnInvalid', 'Handling of a batch with invalid results.', {
    REFUSE: 'Nothing is added.',
    SKIP: 'The valid results are added; the payload lists the others.',
  })
    .nullish()
    .describe('Default REFUSE.'),
  results: z
    .array(resultInput)
    .min(1, 'must have at least 1 result')
    .max(maxBatchResults, `must have at most ${maxBatchResults} results`)
    .describe('1 to 1,000 results.'),
});
export type AddResultsInput = z.output<typeof addResultsInput>;

const uniqueTexts = (max: number, item: z.ZodType<string>) => z.array(item).min(1).max(max);

export const resultFilter = objectOf('Filter for results; all conditions must hold.', {
  executionId: idOf('TestExecution').nullish().describe('Results of this execution.'),
  severity: z.array(severity).max(5).nullish().describe('Any of these severities.'),
  ruleId: line(1, 300).nullish().describe('Exactly this rule.'),
  ruleIds: uniqueTexts(50, line(1, 300)).nullish().describe('Any of these rules.'),
  cweId: int(1, 99_999).nullish().describe('With this CWE.'),
  cweIds: z.array(int(1, 99_999)).min(1).max(50).nullish().describe('With any of these CWEs.'),
  cveId: vulnerabilityId.nullish().describe('With this vulnerability: a CVE id or one of another scheme.'),
  path: line(1, 2000).nullish().describe('In exactly this file.'),
  host: line(1, 500).nullish().describe('On exactly this host.'),
  target: line(1, 2000).nullish().describe('Of executions against exactly this target.'),
  tool: line(1, 200).nullish().describe('Of executions of exactly this tool.'),
  kind: z.array(testKind).max(10).nullish().describe('Of executions of any of these kinds.'),
  branch: line(1, 255).nullish().describe('Of executions of exactly this branch.'),
  createdAfter: dateTime.nullish().describe('Added at or after this time.'),
  createdBefore: dateTime.nullish().describe('Added before this time.'),
  search: searchTerm
    .nullish()
    .describe('Part of the title, rule, location or ids, without regard to case and accents.'),
  fingerprint: line(1, 200).nullish().describe('Exactly this fingerprint.'),
});
export type ResultFilter = z.output<typeof resultFilter>;

export const resultOrder = orderInput('Result', 'results', {
  SEVERITY: 'Severity.',
  CREATED_AT: 'Time of creation.',
  CVSS_SCORE: 'CVSS score; results without one are lowest.',
});
export type ResultOrder = z.output<typeof resultOrder>;
