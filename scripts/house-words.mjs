// Words that house English avoids, each with what to write in its place. scripts/check-house.mjs looks for them.

/** @type {[pattern: RegExp, advice: string][]} */
export const wordsToAvoid = [
  [/\btold\b/gi, 'reported, informed, or name the actor'],
  [/\btells? of\b/gi, 'describes, documents, reports'],
  [/\banew\b/gi, 'again, new'],
  [/\blikewise\b/gi, 'also, the same'],
  [/\boneself\b/gi, 'yourself, or name the actor'],
  [/\bbeforehand\b/gi, 'in advance, first'],
  [/\bstrangers?\b/gi, 'anonymous callers'],
  [/\bcrowds?\b/gi, 'many callers, load'],
  [/\bdoors?\b/gi, 'authorize-first plugin, endpoint'],
  [/\blean\b/gi, 'fast path, small'],
  [/\bshort way\b/gi, 'fast path'],
  [/\blanes?\b/gi, 'pipeline, shared connections'],
  [/\bsound\b/gi, 'valid'],
  [/\bhubs?\b/gi, 'live execution'],
  [/\bfollowers?\b/gi, 'subscriber'],
  [/\bwhatever\b|\bwhoever\b|\bwhichever\b/gi, 'name the subject'],
  [/\bthose (that|who)\b/gi, 'name the subject'],
  [/\bone[’']s own\b/gi, 'the caller’s own, or name the actor'],
  [/\bmeant\b/gi, 'intended'],
  [/\bmend(s|ed|ing)?\b/gi, 'fix'],
  [/\bhitherto\b|\bthereof\b|\bwhereof\b|\bamiss\b/gi, 'plain English'],
];
