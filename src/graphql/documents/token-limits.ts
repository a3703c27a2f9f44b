// Counts the tokens of a document before it is parsed, in one pass that stops at the first limit: documents that would
// keep the recursive parser or the validation busy never reach them.
import { Lexer, Source, type Token, TokenKind } from 'graphql';
import { documentLimits, tooComplex, tooMany } from './document-limits.js';

interface Counts {
  tokens: number;
  depth: number;
  /** Open round and square brackets. */
  brackets: number;
  aliases: number;
  directives: number;
  /** Directives since the last name of another kind, outside of brackets. */
  directivesInRow: number;
  fragments: number;
  spreads: number;
}

/** @throws QUERY_TOO_COMPLEX */
export function checkTokens(text: string): void {
  const { characters, lines } = documentLimits;
  if (text.length > characters) throw tooComplex(`The document is longer than ${characters} characters.`);
  if (hasMoreLines(text, lines)) throw tooMany('lines', lines);
  const lexer = new Lexer(new Source(text));
  const counts: Counts = {
    tokens: 0,
    depth: 0,
    brackets: 0,
    aliases: 0,
    directives: 0,
    directivesInRow: 0,
    fragments: 0,
    spreads: 0,
  };
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    count(counts, token);
    checkCounts(counts);
  }
}

function count(counts: Counts, { kind, value, prev }: Token): void {
  counts.tokens += 1;
  switch (kind) {
    case TokenKind.PAREN_L:
    case TokenKind.BRACKET_L:
      counts.brackets += 1;
      counts.depth += 1;
      break;
    case TokenKind.BRACE_L:
      counts.depth += 1;
      counts.directivesInRow = 0;
      break;
    case TokenKind.PAREN_R:
    case TokenKind.BRACKET_R:
      counts.brackets -= 1;
      counts.depth -= 1;
      break;
    case TokenKind.BRACE_R:
      counts.depth -= 1;
      break;
    case TokenKind.AT:
      counts.directives += 1;
      counts.directivesInRow += 1;
      break;
    case TokenKind.SPREAD:
      counts.spreads += 1;
      counts.directivesInRow = 0;
      break;
    case TokenKind.COLON:
      // Outside of round and square brackets a colon makes an alias.
      if (counts.brackets === 0) counts.aliases += 1;
      break;
    case TokenKind.NAME:
      if (counts.depth === 0 && value === 'fragment') counts.fragments += 1;
      // Names of directives and of their arguments do not end the row.
      if (counts.brackets === 0 && prev?.kind !== TokenKind.AT) counts.directivesInRow = 0;
      break;
    default:
  }
}

function checkCounts(counts: Counts): void {
  const { tokens, depth, aliases, directives, directivesInRow, fragments, spreads } = counts;
  const limits = documentLimits;
  if (tokens > limits.tokens) throw tooComplex(`The document has more than ${limits.tokens} tokens.`);
  if (depth > limits.nesting) throw tooComplex('The document is nested too deeply.');
  if (aliases > limits.aliases) throw tooMany('aliases', limits.aliases);
  if (directives > limits.directives) throw tooMany('directives', limits.directives);
  if (directivesInRow > limits.directivesInRow)
    throw tooMany('directives on one field, fragment or operation', limits.directivesInRow);
  if (fragments > limits.fragments) throw tooMany('fragments', limits.fragments);
  if (spreads > limits.spreads) throw tooMany('uses of fragments', limits.spreads);
}

function hasMoreLines(text: string, limit: number): boolean {
  let lines = 1;
  for (let at = 0; at < text.length && lines <= limit; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) lines += 1;
  }
  return lines > limit;
}
