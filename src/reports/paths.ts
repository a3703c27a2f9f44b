// Paths of reports. Tools write raw paths where a URI is asked for, so only what is a valid URI is decoded.

/** Characters of a URI reference (RFC 3986), with whole percent escapes. */
const uriReference = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]]|%[0-9A-Fa-f]{2})*$/;

/**
 * The path that a file: URI, a relative reference or a raw path names.
 * `file://host/share` keeps its host; a Windows drive loses the slash ahead of it.
 */
export function pathFromUri(uri: string): string {
  const isFile = /^file:/i.test(uri);
  const rest = isFile ? uri.replace(/^file:(?:\/\/(?:localhost(?=\/))?(?=\/))?/i, '') : uri;
  const path = uriReference.test(rest) ? decode(rest) : rest;
  return path.replace(/^\/+(?=[A-Za-z]:[\\/])/, '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
