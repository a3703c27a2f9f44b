// Finds JSON objects that have a key twice: parsers differ on which of the two counts, so that a value which a proxy has
// checked need not be the value that this server uses.

/**
 * Whether an object of JSON text has a key twice. Counting colons clears most texts, at a fraction of the cost of
 * comparing keys: each key has a colon of its own, also one whose value was dropped in favour of another.
 * @param value the parsed text
 */
export function hasDuplicateKey(text: string, value: unknown): boolean {
  const mayHaveOne = colonsOf(value, maxCountedDepth) !== colonsIn(text) || /\\u003a/i.test(text);
  return mayHaveOne && findsDuplicateKey(text);
}

/** Deeper values are compared key by key, which needs no stack. */
const maxCountedDepth = 100;

function colonsOf(value: unknown, levels: number): number {
  if (typeof value === 'string') return colonsIn(value);
  if (typeof value !== 'object' || value === null) return 0;
  if (levels === 0) return Number.NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += colonsOf(item, levels - 1);
    return count;
  }
  for (const key in value)
    count += 1 + colonsIn(key) + colonsOf((value as Record<string, unknown>)[key], levels - 1);
  return count;
}

function colonsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) count += 1;
  return count;
}

/**
 * Compares the keys of every object in valid JSON text, as `hasDuplicateKey` does where it must. Keys that are spelt
 * differently (`a` and `\u0061`) are the same. It jumps from string to string and keeps its own stack.
 */
export function findsDuplicateKey(json: string): boolean {
  /** For each open bracket: the keys of an object so far, or undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Set());
        isKeyNext = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        isKeyNext = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case 0x2c: // ,
        isKeyNext = open.at(-1) !== undefined;
        break;
      case 0x22: {
        const end = endOfString(json, at);
        if (isKeyNext && isKnownKey(json.slice(at + 1, end), open.at(-1))) return true;
        isKeyNext = false;
        at = end;
        break;
      }
      default:
    }
  }
  return false;
}

/** Adds a key to those of its object; true when it is there already. */
function isKnownKey(raw: string, keys: Set<string> | undefined): boolean {
  const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  if (keys?.has(key)) return true;
  keys?.add(key);
  return false;
}

/** Position of the quote that closes the string which begins at `start`. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end === -1 ? json.length : end;
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}
