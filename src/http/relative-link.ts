// Makes links relative, because only relative links work behind a proxy that serves the API under a sub-path.

/**
 * The link as a reference relative to the path of the request.
 * @param path of the request, beginning with a slash
 * @param link a path of this server, or a URL, which is returned as it is
 */
export function relativeLink(path: string, link: string): string {
  if (!link.startsWith('/') || link.startsWith('//')) return link;
  const levels = path.split('/').length - 2;
  return levels === 0 ? `.${link}` : `${'../'.repeat(levels)}${link.slice(1)}`;
}
