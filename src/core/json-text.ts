// Text as JSON writes it; nothing else of JSON.

/** All but what JSON takes as it is: no quotes, backslashes, control characters or surrogates. */
const special = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;
/** Beyond this length looking first takes longer than writing at once. */
const shortLength = 100;

/** A text in quotes, as JSON.stringify gives it. */
export function quote(text: string): string {
  return text.length < shortLength && !special.test(text) ? `"${text}"` : JSON.stringify(text);
}
