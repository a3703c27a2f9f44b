// Memoizes functions of texts, because reports repeat the same text in many results.

/** Most entries; a memo that is full starts over. */
const maxEntries = 2000;
/** Longest text that is remembered, in UTF-16 code units. */
const maxLength = 8000;

/** Wraps a function of one text without side effects. */
export function memoize(make: (text: string) => string): (text: string) => string {
  const made = new Map<string, string>();
  return (text) => {
    if (text.length > maxLength) return make(text);
    const before = made.get(text);
    if (before !== undefined) return before;
    if (made.size >= maxEntries) made.clear();
    const result = make(text);
    made.set(text, result);
    return result;
  };
}
