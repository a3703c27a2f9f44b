// Relative links lead from the path of a request to a path of the server, wherever the server's root is.
import { expect, it } from '@jest/globals';
import { relativeLink } from '../../../src/http/relative-link.js';

it.each([
  ['/graphql', '/docs#old', './docs#old'],
  ['/api/v1/graphql', '/docs#old', '../../docs#old'],
  ['/docs/', '/graphql', '../graphql'],
  ['/', '/docs', './docs'],
])('from %s to %s by %s', (path, link, expected) => {
  const relative = relativeLink(path, link);
  expect(relative).toBe(expected);
  for (const root of ['https://host.example', 'https://host.example/sec', 'https://host.example/a/b'])
    expect(new URL(relative, root + path).href).toBe(root + link);
});

it('leaves URLs as they are', () => {
  for (const url of ['https://docs.example.com/old', '//docs.example.com/old', 'mailto:a@b.test'])
    expect(relativeLink('/graphql', url)).toBe(url);
});
