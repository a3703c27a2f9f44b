// Options of fields that show a column, for the kinds that most types have.
import type { FieldWeight } from './field-weight.js';

/** A value that may be missing. */
export const orNull = (description: string) => ({ nullable: true, description }) as const;

/** A time. */
export const time = (description: string) => ({ type: 'DateTime', description }) as const;

/** A time that may be missing. */
export const timeOrNull = (description: string) =>
  ({ type: 'DateTime', nullable: true, description }) as const;

/** A text of at most so many bytes. */
export const text = (bytes: number, description: string) => ({
  extensions: { weight: { bytes } satisfies FieldWeight },
  description,
});

/** A text of at most so many bytes that may be missing. */
export const textOrNull = (bytes: number, description: string) =>
  ({ ...text(bytes, description), nullable: true }) as const;
