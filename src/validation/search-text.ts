// Folds text for search, so that case, accents and the database's locale make no difference.

/**
 * Lower case without accents, in ASCII: every other character becomes `U` and its hexadecimal code point. The folded text
 * of ASCII has no capitals, so an encoded character matches nothing but itself; and its digits give a trigram index
 * something to find even where a term has a single character, as Chinese and Japanese words may.
 */
export function foldForSearch(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(
      /[^\0-\x7f]/gu,
      (character) => `U${(character.codePointAt(0) as number).toString(16).toUpperCase()}`,
    );
}

/** Whether folding does no more than lower the case. */
export function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** Whether a trigram index finds a term: three letters or digits in a row, or any character beyond ASCII. */
export function isSearchable(term: string): boolean {
  return /[a-zA-Z0-9]{3}/.test(foldForSearch(term));
}

/** LIKE pattern for texts that contain the term, on a column of folded text. */
export function containsPattern(term: string): string {
  return `%${foldForSearch(term).replace(/[\\%_]/g, '\\$&')}%`;
}
