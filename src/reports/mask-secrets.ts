// Masks probable secrets in texts of reports before they are stored: a finding shows the place of a secret, not its value.

const mask = '********';

/**
 * Shapes of secrets: a prefix that may stay, then what is masked. Each pattern is linear in its input.
 * Formats mask the secrets that they know by their fields; these catch what stands in messages, code and HTTP messages.
 */
const shapes: readonly RegExp[] = [
  /\b(AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{12,20}\b/g,
  /\b(gh[pousr]_|github_pat_)[0-9A-Za-z_]{20,255}\b/g,
  /\b(glpat-|gldt-|glrt-|GR1348941)[0-9A-Za-z_-]{15,60}/g,
  /\b(xox[abprs]-|xapp-)[0-9A-Za-z-]{10,250}/g,
  /\b(sk_live_|rk_live_|sk_test_|pk_live_|whsec_)[0-9A-Za-z]{10,100}/g,
  /\b(AIza)[0-9A-Za-z_-]{30,40}/g,
  /\b(npm_|pypi-|hf_|dop_v1_|sk-)[0-9A-Za-z_-]{20,250}/g,
  /(?<![0-9A-Za-z_-])(eyJ)[0-9A-Za-z_-]{10,4000}\.[0-9A-Za-z_-]{10,8000}(?:\.[0-9A-Za-z_-]{0,2000})?/g,
  /\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@"']{1,100}:)[^\s@/"']{1,200}(?=@)/gi,
  /((?:authorization|proxy-authorization)["']?\s{0,3}[:=]\s{0,3}["']?(?:basic|bearer|token|digest)\s{1,3})[^\s"']{4,4000}/gi,
  /((?:x-api-key|x-auth-token|x-access-token|private-token)["']?\s{0,3}[:=]\s{0,3}["']?)[^\s"']{4,4000}/gi,
  /((?:^|[?&])(?:access_token|api[_-]?key|auth_token|client_secret|password|passwd)=)[^&\s"'<>#]{3,4000}/gim,
];

/** The value of the cookie that a response sets; its attributes stay. */
const setCookie = /\b(set-cookie\s{0,3}:\s{0,3}[^\s=;]{1,300}=)[^\s;]{1,4000}/gi;
/** The cookies of a request. */
const cookies = /(?<!set-)\bcookie\s{0,3}:[^\r\n]{1,8000}/gi;

/** Every shape holds one of these; most texts hold none, and are done with it. */
const probe =
  /-----BEGIN|A(?:KIA|SIA|GPA|IDA|ROA|Iza)|gh[pousr]_|github_pat_|gl(?:pat|dt|rt)-|GR1348941|xox[abprs]-|xapp-|[srp]k_(?:live|test)_|whsec_|npm_|pypi-|hf_|dop_v1_|sk-|eyJ|:\/\/[^\s/?#@"']{1,300}@|[Aa][Uu][Tt][Hh][Oo][Rr][Ii][Zz][Aa][Tt][Ii][Oo][Nn]|[Cc][Oo][Oo][Kk][Ii][Ee]|-[Aa][Pp][Ii]-[Kk]|-[Tt][Oo][Kk][Ee][Nn]|(?:^|[?&\n])[ACPacp][A-Za-z_-]{3,15}=/;

/** Masks private keys, tokens of known shapes, cookies, and passwords in URLs, queries and Authorization headers. */
export function maskSecrets(text: string): string {
  if (!probe.test(text)) return text;
  let masked = maskPrivateKeys(text);
  for (const shape of shapes) masked = masked.replace(shape, (_found, prefix: string) => `${prefix}${mask}`);
  return masked
    .replace(setCookie, (_found, prefix: string) => `${prefix}${mask}`)
    .replace(cookies, (header) => header.replace(/=[^;\r\n]*/g, `=${mask}`));
}

/** From the first line of a key to its last one, or to the end of a text that breaks off within it. */
function maskPrivateKeys(text: string): string {
  if (!text.includes('-----BEGIN')) return text;
  const lastLine = /-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
  let masked = '';
  let at = 0;
  for (const { index } of text.matchAll(/-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g)) {
    if (index < at) continue;
    masked += `${text.slice(at, index)}${mask}`;
    lastLine.lastIndex = index;
    at = lastLine.test(text) ? lastLine.lastIndex : text.length;
  }
  return masked + text.slice(at);
}

/** A secret that is known to be one: its first characters where it is long enough, then a mask of fixed length. */
export function maskSecret(secret: string): string {
  return secret.length >= 16 ? `${secret.slice(0, 4)}${mask}` : mask;
}

/** Replaces each occurrence of a known secret in a text. */
export function maskSecretIn(text: string, secret: string): string {
  return secret.trim().length < 4 ? text : text.replaceAll(secret, maskSecret(secret));
}
