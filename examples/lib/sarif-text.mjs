// Texts of a SARIF log as the API can store them, messages with their arguments above all. No result is known here.

/** @typedef {Record<string, any>} Json */

/**
 * The message with its arguments put in: as it stands, with the addresses of the places it points to, and without.
 * @param {Json} result @param {Json} rule @param {Json} component
 */
export function messageOf({ message, relatedLocations }, rule, component) {
  const { id } = message ?? {};
  const source = rule.messageStrings?.[id] ?? component.globalMessageStrings?.[id] ?? {};
  const places = new Map(list(relatedLocations).map((place) => [String(place.id), place]));
  const text = fill(message?.text ?? source.text, list(message?.arguments));
  const markdown = fill(message?.markdown ?? source.markdown, list(message?.arguments));
  // [here](1) points to a related location.
  const full = (markdown || text).replace(
    /\[([^\]]*)\]\((\d+)\)/g,
    (_found, label, place) => label + addressOf(places.get(place)),
  );
  return { full, plain: text.replace(/\[([^\]]*)\]\([^)\s]*\)/g, '$1').replace(/\\([[\]\\])/g, '$1') };
}

/** @param {unknown} template @param {unknown[]} values @returns {string} */
function fill(template, values) {
  if (typeof template !== 'string') return '';
  return template.replace(/\{\{|\}\}|\{(\d+)\}/g, (found, index) =>
    index === undefined ? (found[0] ?? '') : String(values[index] ?? found),
  );
}

/** @param {Json | undefined} place */
function addressOf(place) {
  const { artifactLocation, region } = place?.physicalLocation ?? {};
  if (typeof artifactLocation?.uri !== 'string') return '';
  return ` (${artifactLocation.uri}${region?.startLine === undefined ? '' : `:${region.startLine}`})`;
}

/** One line without control characters, cut to a limit; undefined for none. @param {unknown} value @param {number} max */
export function line(value, max) {
  if (typeof value !== 'string') return undefined;
  return text(value.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim(), max) || undefined;
}

/** Text that the API can store, cut to a limit. @param {unknown} value @param {number} max @returns {string | undefined} */
export function text(value, max) {
  if (typeof value !== 'string' || value === '') return undefined;
  const clean = value.replaceAll('\0', '').toWellFormed().normalize('NFC');
  return clean.length <= max ? clean : `${clean.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** @template T @param {(T | undefined)[]} values @param {number} max @returns {T[]} */
export function unique(values, max) {
  return /** @type {T[]} */ ([...new Set(values)].filter((value) => value !== undefined)).slice(0, max);
}

/** @param {unknown} value @returns {value is Json} */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What SARIF calls an array: absent is empty, and what does not belong is left out. @param {unknown} value @returns {any[]} */
export function list(value) {
  return Array.isArray(value) ? value.filter((item) => item !== null) : [];
}
