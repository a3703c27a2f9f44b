// JSON Pointers (RFC 6901).

/** The pointer of a path: `/runs/0/results`; the empty string is the whole document. */
export function pointerOf(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
