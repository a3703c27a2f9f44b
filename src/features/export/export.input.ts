// Shapes of the queries of exports: the format, the base and the filter of findings, as texts of a query string.
import { z } from 'zod';
import { idOf, int, line } from '../../validation/fields.js';
import { findingFilter, presence, triageState } from '../finding/finding.input.js';
import { severity } from '../result/result.input.js';

/** Formats of exports. */
export const exportFormats = ['sarif', 'github', 'csv', 'ndjson', 'cyclonedx', 'openvex'] as const;
export type ExportFormat = (typeof exportFormats)[number];

const format = z
  .enum(exportFormats)
  .default('sarif')
  .describe(
    'Format of the export; `github` is SARIF within the limits of GitHub code scanning, `cyclonedx` and `openvex` are VEX.',
  );
const author = line(1, 200).optional().describe('Author of a VEX; SEC-TESTER unless given.');
const baseOf = (description: string) =>
  line(1, 255).optional().describe(`${description} For SARIF, CSV and NDJSON.`);
const product = line(1, 2000)
  .optional()
  .describe('Product of a VEX, such as the package URL of an image; the target unless given.');

/** Query of an export of an execution. */
export const executionExportQuery = z.strictObject({
  format,
  author,
  product,
  base: baseOf(
    'Id of an execution, or a branch, whose last run counts. Each result is then new, unchanged or absent compared with it.',
  ),
});
export type ExecutionExport = z.output<typeof executionExportQuery>;

/** Any of some values, separated by commas. */
function anyOf<Shape extends z.ZodType<string, string>>(shape: Shape, description: string) {
  return z
    .string()
    .max(200)
    .transform((text) => text.split(','))
    .pipe(z.array(shape).max(5))
    .optional()
    .describe(`${description} Separated by commas.`);
}

/** A field of the filter as a parameter of a query string, where null cannot stand. */
function given<Shape extends z.ZodType>(field: z.ZodOptional<z.ZodNullable<Shape>>) {
  return field
    .unwrap()
    .unwrap()
    .optional()
    .describe(field.description ?? '');
}

const { project, target, tool, category, branch, ruleId, cveId, search } = findingFilter.shape;

const time = z.iso
  .datetime({ offset: true })
  .max(40)
  .transform((text) => new Date(text))
  .optional();

/** Query of an export of findings. */
export const findingExportQuery = z.strictObject({
  format,
  author,
  product,
  base: baseOf('Branch to compare with: each finding is then new, unchanged or absent.'),
  project: given(project),
  target: given(target),
  tool: given(tool),
  category: given(category),
  severity: anyOf(severity, 'Any of these severities.'),
  triage: anyOf(triageState, 'Any of these decisions.'),
  presence: presence.optional().describe('PRESENT unless given.'),
  branch: given(branch),
  ruleId: given(ruleId),
  cweId: z
    .string()
    .max(5)
    .regex(/^\d{1,5}$/, 'must be the number of a CWE')
    .transform(Number)
    .pipe(int(1, 99_999))
    .optional()
    .describe('With this CWE.'),
  cveId: given(cveId),
  search: given(search),
  assigneeId: idOf('User').optional().describe('Assigned to this user.'),
  overdue: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .describe('Whether it is open or confirmed and its due date has passed.'),
  firstSeenAfter: time.describe('First seen at or after this time.'),
  firstSeenBefore: time.describe('First seen before this time.'),
});
export type FindingExport = z.output<typeof findingExportQuery>;
