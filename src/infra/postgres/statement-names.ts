// Names for prepared statements, by a hash of their text.
import { createHash } from 'node:crypto';

/** Statements that are prepared at most: every connection keeps a plan for each of them. */
const maxNames = 400;

/**
 * Gives each text a name that is the same on every connection and in every instance. A proxy such as PgBouncer may lend
 * one connection of PostgreSQL to several instances, so a name must never stand for two texts.
 * @returns the name of a text; undefined once {@link maxNames} texts have one
 */
export function createStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined || names.size >= maxNames) return known;
    const name = `st_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
    names.set(text, name);
    return name;
  };
}
