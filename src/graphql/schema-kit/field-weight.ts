// Upper bounds of fields, for the limits on documents: `extensions: { weight: { bytes: 50_000 } }`.
import type { GraphQLField } from 'graphql';

/** Bounds of one value of a field. */
export interface FieldWeight {
  /** Characters of a leaf value in the response. */
  bytes?: number;
  /** Entries of a list that is no page. */
  entries?: number;
}

/** Bytes of a leaf without a weight: names, times, numbers. */
const usualBytes = 600;
/** Bytes of a JSON value: inputs are limited to 64 KiB, which jsonb may print longer. */
const jsonBytes = 131_072;
/** Entries of a list without a weight. */
const usualEntries = 100;

/** The bounds of a field: its own, or the usual ones of its type. */
export function weightOf(
  { extensions }: GraphQLField<unknown, unknown>,
  typeName: string,
): Required<FieldWeight> {
  const { bytes, entries = usualEntries } = (extensions.weight ?? {}) as FieldWeight;
  return { bytes: bytes ?? (typeName === 'JSON' ? jsonBytes : usualBytes), entries };
}
