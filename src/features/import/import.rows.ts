// Imports as rows: their columns in SQL.
import { type Import, Prisma } from '../../generated/prisma/client.js';
import type { SqlRow } from '../../infra/postgres/database.js';
import { columnsOf } from '../../infra/postgres/sql.js';
import type { ReportWarning } from '../../reports/notes.js';

/** An import as it is read; timestamps are RFC 3339. */
export type ImportRow = Omit<SqlRow<Import>, 'requestDigest' | 'bytes' | 'warnings' | 'skippedReasons'> & {
  /** Digits, as PostgreSQL writes a bigint. */
  bytes: string;
  warnings: ReportWarning[];
  /** Reason → number. */
  skippedReasons: Record<string, number>;
};

const { requestDigest: _digest, ...fields } = Prisma.ImportScalarFieldEnum;

/** The select list of {@link ImportRow}. */
export const columns = columnsOf(fields);
