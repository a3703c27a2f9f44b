// E-mail addresses: international domains in ASCII, and the key that makes an address unique.
import { domainToASCII } from 'node:url';

/**
 * The address with its domain in ASCII (IDNA, UTS #46): `max@bücher.test` becomes `max@xn--bcher-kva.test`. So look-alike
 * domains of other scripts are other addresses, and are shown as such.
 * @returns the text as it is where its domain cannot be converted
 */
export function normaliseEmail(text: string): string {
  const at = text.lastIndexOf('@');
  if (at === -1 || /^[\0-\x7f]*$/.test(text)) return text;
  const domain = domainToASCII(text.slice(at + 1));
  return domain === '' ? text : `${text.slice(0, at)}@${domain}`;
}

/** The key that an address is compared by: without regard to case, in any locale of the database. */
export function emailKeyOf(email: string): string {
  return normaliseEmail(email).toLowerCase();
}
