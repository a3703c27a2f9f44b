// Limits on GraphQL documents, and the errors for documents that exceed them.
import { GraphQLError } from 'graphql';

/** Limits on documents, the same on every transport; docs/security.md explains each. */
export const documentLimits = {
  /** Characters of the text, with comments. */
  characters: 200_000,
  /** Lines: comments end there, and are no tokens. */
  lines: 5000,
  /** Names, values and punctuation marks. */
  tokens: 2000,
  /** Brackets of any kind within each other. */
  nesting: 100,
  /** Fields within each other, through fragments too. */
  depth: 12,
  /** Fields under another name, `__typename` too. */
  aliases: 30,
  directives: 50,
  /** Directives on one field, fragment or operation: each one that nobody knows is an error of its own. */
  directivesInRow: 5,
  /** The same field in one selection, through fragments too: validation compares each with each. */
  repeats: 30,
  /** Named fragments. */
  fragments: 50,
  /** Uses of fragments, named or inline. */
  spreads: 100,
  /** Objects that may come back; a plain value counts a tenth, a page as many as it requests. */
  cost: 10_000,
} as const;

/** QUERY_TOO_COMPLEX with a message. */
export function tooComplex(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });
}

/** QUERY_TOO_COMPLEX for more than `limit` of something. */
export function tooMany(what: string, limit: number): GraphQLError {
  return tooComplex(`The document has more than ${limit.toLocaleString('en')} ${what}.`);
}
