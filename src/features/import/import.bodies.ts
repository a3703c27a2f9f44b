// Response bodies of the import routes, with the field names of GraphQL.
import { z } from 'zod';
import { toPublicId } from '../../core/ids.js';
import { severities } from '../result/result.input.js';
import { importState, reportFormat } from './import.input.js';
import type { ImportRow } from './import.rows.js';

const moment = z.iso.datetime().max(24);
const count = (what: string) => z.int().min(0).max(2_147_483_647).describe(what);
const bytes = (what: string) => z.int().min(0).max(Number.MAX_SAFE_INTEGER).describe(what);
const id = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[0-9a-f-]{36}$`))
    .max(40);

const skippedReason = z.strictObject({
  reason: z.string().max(200).describe('Reason, for example "suppressed".'),
  count: count('Number of entries that were skipped for this reason.'),
});

const itemLimit = z.strictObject({
  name: z.string().max(40).describe('Part of a result, for example "title".'),
  max: count('Most characters of a text, or entries of a list.'),
});

/** An import: its state and its receipt. */
export const importBody = z
  .strictObject({
    id: id('imp').describe('Id of the import, the same as in GraphQL.'),
    executionId: id('exe').describe('Id of the execution that the results belong to.'),
    state: importState,
    format: reportFormat.nullable(),
    contentSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .max(64)
      .describe('SHA-256 of the report as it was sent.'),
    bytes: bytes('Bytes of the report as it was sent.'),
    read: count('Results in the report.'),
    added: count('Results of the execution that come from the report.'),
    duplicates: count('Results that the report holds twice, or the execution already has.'),
    skipped: count('Entries that the format marks as no finding: passed, suppressed, not applicable.'),
    skippedReasons: z.array(skippedReason).max(100).describe('Skipped entries, by reason.'),
    newFindings: count('Findings that no earlier run had seen.'),
    unchangedFindings: count('Findings that the run saw again.'),
    reopenedFindings: count('Findings that had been absent and were seen again.'),
    absentFindings: count('Findings that the branch showed before and this run did not see.'),
    counts: z
      .strictObject(
        Object.fromEntries(severities.map((name) => [name.toLowerCase(), count(`${name} results.`)])),
      )
      .describe('Results of the run by severity.'),
    warnings: z
      .array(
        z.strictObject({
          message: z.string().max(500).describe('Text of the warning.'),
          pointer: z.string().max(500).nullable().describe('JSON Pointer, or line:column.'),
        }),
      )
      .max(100)
      .describe('At most 100 warnings.'),
    warningCount: count('Number of all warnings.'),
    incomplete: z
      .array(z.string().max(300))
      .max(20)
      .describe('Reasons why the run is incomplete; such a run makes no finding absent and passes no gate.'),
    errorMessage: z.string().max(2000).nullable().describe('Why the import failed.'),
    createdAt: moment.describe('Time at which the report arrived.'),
    finishedAt: moment.nullable().describe('Time at which the import ended.'),
  })
  .meta({ id: 'Import', description: 'An import: its state and its receipt.' });

/** The body of an import. */
export function toImportBody(row: ImportRow): z.output<typeof importBody> {
  const { createdById: _by, idempotencyKey: _key, isWholeRun: _whole, pathPrefix: _prefix, ...rest } = row;
  const {
    leaseExpiresAt: _lease,
    workerId: _worker,
    tool: _tool,
    unreadPaths: _unread,
    infoCount,
    lowCount,
    mediumCount,
    highCount,
    criticalCount,
    ...shown
  } = rest;
  return {
    ...shown,
    id: toPublicId('Import', row.id),
    executionId: toPublicId('TestExecution', row.executionId),
    contentSha256: Buffer.from(row.contentSha256).toString('hex'),
    bytes: Number(row.bytes),
    skippedReasons: Object.entries(row.skippedReasons).map(([reason, number]) => ({ reason, count: number })),
    counts: { info: infoCount, low: lowCount, medium: mediumCount, high: highCount, critical: criticalCount },
  };
}

/** The limits of imports. */
export const limitsBody = z
  .strictObject({
    reportBytes: bytes('Largest report as it is sent, in bytes.'),
    unpackedBytes: bytes('Largest report when it is unpacked, in bytes.'),
    importsAtOnce: count('Imports that one instance works on at a time.'),
    reportInGraphQLCharacters: count('Largest report in `importReport`, in characters.'),
    warnings: count('Most warnings that a receipt keeps.'),
    item: z.array(itemLimit).max(50).describe('Limits of one result; a warning names each cut.'),
  })
  .meta({ id: 'Limits', description: 'The limits of imports.' });

/** Bodies as the documentation shows them. */
export const importExamples = {
  running: exampleOf('RUNNING', null),
  ended: exampleOf('COMPLETED', '2026-11-27T09:00:03.120Z'),
  limits: {
    reportBytes: 200_000_000,
    unpackedBytes: 2_000_000_000,
    importsAtOnce: 1,
    reportInGraphQLCharacters: 1_000_000,
    warnings: 100,
    item: [{ name: 'title', max: 500 }],
  },
};

function exampleOf(state: 'RUNNING' | 'COMPLETED', finishedAt: string | null): z.output<typeof importBody> {
  const found = state === 'COMPLETED' ? 19 : 0;
  return {
    id: 'imp_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10',
    executionId: 'exe_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a11',
    state,
    format: 'SARIF',
    contentSha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    bytes: 23_846,
    read: found,
    added: found,
    duplicates: 0,
    skipped: 0,
    skippedReasons: [],
    newFindings: found,
    unchangedFindings: 0,
    reopenedFindings: 0,
    absentFindings: 0,
    counts: { info: 0, low: 0, medium: 0, high: found, critical: 0 },
    warnings: [],
    warningCount: 0,
    incomplete: [],
    errorMessage: null,
    createdAt: '2026-11-27T09:00:00.000Z',
    finishedAt,
  };
}
