// Masks what looks like a secret in texts of reports before they are stored: a finding says where a secret is, not what it is.

const mask = '********';

/**
 * Shapes of secrets: a prefix that may stay, then what is masked. Each pattern is linear in its input.
 * Formats mask the secrets that they know by their fields; these catch what stands in messages and code.
 */
const shapes: readonly RegExp[] = [
  /()-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
  /\b(AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{12,20}\b/g,
  /\b(gh[pousr]_|github_pat_)[0-9A-Za-z_]{20,255}\b/g,
  /\b(glpat-|gldt-|glrt-|GR1348941)[0-9A-Za-z_-]{15,60}/g,
  /\b(xox[abprs]-|xapp-)[0-9A-Za-z-]{10,250}/g,
  /\b(sk_live_|rk_live_|sk_test_|pk_live_|whsec_)[0-9A-Za-z]{10,100}/g,
  /\b(AIza)[0-9A-Za-z_-]{30,40}/g,
  /\b(npm_|pypi-|hf_|dop_v1_|sk-)[0-9A-Za-z_-]{20,250}/g,
  /\b(eyJ)[0-9A-Za-z_-]{10,4000}\.[0-9A-Za-z_-]{10,8000}(?:\.[0-9A-Za-z_-]{0,2000})?/g,
  /\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@"']{1,100}:)[^\s@/"']{1,200}(?=@)/gi,
  /((?:authorization|proxy-authorization)\s{0,3}[:=]\s{0,3}(?:basic|bearer|token)\s{1,3})[^\s"',]{4,4000}/gi,
];

/** Masks private keys, tokens of known shapes, and passwords in URLs and Authorization headers. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const shape of shapes) masked = masked.replace(shape, (_found, prefix: string) => `${prefix}${mask}`);
  return masked;
}

/** A secret that is known to be one: its first characters where it is long enough, then a mask of fixed length. */
export function maskSecret(secret: string): string {
  return secret.length >= 16 ? `${secret.slice(0, 4)}${mask}` : mask;
}

/** Replaces each occurrence of a known secret in a text. */
export function maskSecretIn(text: string, secret: string): string {
  return secret.trim().length < 4 ? text : text.replaceAll(secret, maskSecret(secret));
}
