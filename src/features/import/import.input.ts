// Shapes of the parameters of an import: target, branch and the like, over REST and GraphQL.
import { z } from 'zod';
import { enumOf, idOf, line, objectOf } from '../../validation/fields.js';
import { commitSha, target, testKind } from '../execution/execution.input.js';

export const reportFormat = enumOf('ReportFormat', 'Format of a report.', {
  SARIF: 'SARIF 2.1.0 (OASIS).',
  CYCLONEDX: 'CycloneDX with vulnerabilities, JSON.',
  GITLAB: 'GitLab’s security reports.',
  ZAP_JSON: 'ZAP, JSON.',
  ZAP_XML: 'ZAP, XML.',
  NUCLEI: 'Nuclei, JSON lines or an array.',
  TRIVY: 'Trivy, JSON.',
  GRYPE: 'Grype, JSON.',
  SEMGREP: 'Semgrep, JSON.',
  GITLEAKS: 'Gitleaks, JSON.',
  BANDIT: 'Bandit, JSON.',
  CHECKOV: 'Checkov, JSON.',
  NPM_AUDIT: 'npm audit, JSON.',
  ESLINT: 'ESLint, JSON.',
  CPPCHECK_XML: 'Cppcheck, XML version 2.',
  NMAP_XML: 'Nmap, XML.',
  TESTSSL: 'testssl.sh, JSON or CSV.',
  BURP_XML: 'Burp Suite, XML.',
  JUNIT: 'JUnit, XML.',
  GENERIC_JSON: 'Results as `addResults` takes them, JSON.',
  GENERIC_CSV: 'Results as `addResults` takes them, CSV.',
});

export const importState = enumOf('ImportState', 'State of an import.', {
  RUNNING: 'The server reads the report, or the report waits for its turn.',
  COMPLETED: 'All results are in the execution.',
  FAILED: 'Nothing of the report is kept; the error message says why.',
});

const category = line(1, 200);
const projectKey = z
  .string()
  .max(63, 'must have at most 63 characters')
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the key of a project: a-z, 0-9 and hyphens');

/** The caller's description of a run. Project, target, category and branch make runs the same scan. */
const runShape = {
  project: projectKey.optional().describe('Key of the project; "default" unless given.'),
  target: target.describe('Scanned URL, repository, image or host.'),
  name: line(1, 200).optional().describe('Name of the execution.'),
  kind: testKind.optional().describe('Kind of test; by the format unless given.'),
  branch: line(1, 255).optional().describe('Scanned branch. Each has its own presence of findings.'),
  commit: commitSha.optional().describe('Scanned commit.'),
  category: category
    .optional()
    .describe('Separates scans of one target by one tool that look at different things.'),
};

const reportShape = {
  format: reportFormat.optional().describe('Format of the report; recognised by its content unless given.'),
  pathPrefix: line(1, 500)
    .optional()
    .describe('Folder that the paths of the report are relative to, within the repository.'),
  wait: z
    .string()
    .max(3, 'must be at most 300')
    .regex(/^\d{1,3}$/, 'must be a number of seconds')
    .transform(Number)
    .pipe(z.number().max(300, 'must be at most 300'))
    .optional()
    .describe('Seconds to wait for the end of the import, at most 300.'),
};

/** Query of an import that makes the execution too. */
export const importQuery = z.strictObject({ ...runShape, ...reportShape });
export type ImportQuery = z.output<typeof importQuery>;

/** Query of a report of a running execution. */
export const reportQuery = z.strictObject(reportShape);
export type ReportQuery = z.output<typeof reportQuery>;

export const importHeaders = z.object({
  'Idempotency-Key': line(1, 200)
    .optional()
    .describe('Repeating the request with the same key and report returns the same import.'),
});

/** Largest report in GraphQL, in characters. */
export const maxContent = 1_000_000;

export const importReportInput = objectOf('A report and its target.', {
  executionId: idOf('TestExecution')
    .nullish()
    .describe('A running execution that gets the results; without it the import creates one.'),
  project: projectKey.nullish().describe('Key of the project; "default" unless given.'),
  target: target
    .nullish()
    .describe('Scanned URL, repository, image or host; required without `executionId`.'),
  kind: testKind.nullish().describe('Kind of test; by the format unless given.'),
  branch: line(1, 255).nullish().describe('Scanned branch.'),
  commit: commitSha.nullish().describe('Scanned commit.'),
  category: category
    .nullish()
    .describe('Separates scans of one target by one tool that look at different things.'),
  format: reportFormat.nullish().describe('Format; recognised by the content unless given.'),
  content: z
    .string()
    .min(1, 'must not be empty')
    .max(maxContent, `must have at most ${maxContent} characters; send a larger report over REST`)
    .describe('The report, at most 1,000,000 characters.'),
  idempotencyKey: line(1, 200)
    .nullish()
    .describe('Repeating the call with the same key and report returns the same import.'),
});
export type ImportReportInput = z.output<typeof importReportInput>;
