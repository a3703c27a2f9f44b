// Computed fingerprints: what they ignore, what they mind, and that the recipe does not change unnoticed.
import { describe, expect, it } from '@jest/globals';
import { computeFingerprint } from '../../../src/features/result/fingerprint.js';
import { type ResultInput, resultInput } from '../../../src/features/result/result.input.js';

const finding = (fields: Record<string, unknown> = {}): ResultInput =>
  resultInput.parse({ title: 'SQL injection', severity: 'HIGH', ruleId: 'sqli', ...fields });
const at = (location: Record<string, unknown>) => computeFingerprint('zap', finding({ location }));

describe('a computed fingerprint', () => {
  it('says its version and does not change from release to release', () => {
    expect(computeFingerprint(null, finding())).toMatch(/^v1:[0-9a-f]{32}$/);
    expect(at({ path: 'src/a.ts', startLine: 3 })).toBe(at({ path: 'src/a.ts' }));
    const known = computeFingerprint(
      'semgrep',
      finding({ location: { path: 'src/a.ts', url: 'https://a.test/' } }),
    );
    expect(known).toBe('v1:254b1b4724989ceef6f8ec0b8a7897ca');
  });

  it.each([
    ['lines and columns', { path: 'a.ts', startLine: 1, endColumn: 9 }, { path: 'a.ts', startLine: 70 }],
    ['how a path begins', { path: 'src/a.ts' }, { path: './src/a.ts' }],
    ['an absolute path’s slash', { path: 'src/a.ts' }, { path: '/src/a.ts' }],
    ['which way slashes lean', { path: 'src/a.ts' }, { path: 'src\\a.ts' }],
    ['the query of an address', { url: 'https://a.test/x?q=1#y' }, { url: 'https://a.test/x?q=2' }],
    ['the case of an address’s host', { url: 'https://A.test/x' }, { url: 'https://a.test/x' }],
    ['a slash at an address’s end', { url: 'https://a.test/x/' }, { url: 'https://a.test/x' }],
    ['an address’s usual port', { url: 'https://a.test:443/x' }, { url: 'https://a.test/x' }],
    ['the case of a method', { method: 'get' }, { method: 'GET' }],
    ['the case of a host', { host: 'DB.test' }, { host: 'db.test' }],
    ['the version of a component', { component: 'lodash@4.17.20' }, { component: 'lodash@4.17.21' }],
    ['the version of a scoped component', { component: '@a/b@1.0' }, { component: '@a/b@2.0' }],
    ['nulls', { path: 'a', host: null }, { path: 'a' }],
  ])('ignores %s', (_name, one, other) => {
    expect(at(one)).toBe(at(other));
  });

  it.each([
    ['paths', { path: 'a.ts' }, { path: 'b.ts' }],
    ['the case of a path', { path: 'A.ts' }, { path: 'a.ts' }],
    ['folders above', { path: '../a.ts' }, { path: 'a.ts' }],
    ['the path of an address', { url: 'https://a.test/x' }, { url: 'https://a.test/y' }],
    ['the scheme of an address', { url: 'https://a.test/' }, { url: 'http://a.test/' }],
    ['ports', { url: 'https://a.test:8443/' }, { url: 'https://a.test/' }],
    ['addresses that are none', { url: '/x?q=1' }, { url: '/x?q=2' }],
    ['methods', { method: 'GET' }, { method: 'POST' }],
    ['parameters', { parameter: 'q' }, { parameter: 'Q' }],
    ['hosts', { host: 'a.test' }, { host: 'b.test' }],
    ['components', { component: 'a@1' }, { component: 'b@1' }],
    ['scopes of components', { component: '@a/b' }, { component: '@c/b' }],
    ['which field a text is in', { path: 'x' }, { host: 'x' }],
  ])('minds %s', (_name, one, other) => {
    expect(at(one)).not.toBe(at(other));
  });

  it('minds tool, rule and title, but not the tool’s case, spaces or the severity', () => {
    const of = (tool: string | null, fields: Record<string, unknown>) =>
      computeFingerprint(tool, finding(fields));
    expect(of('ZAP', { severity: 'LOW', title: 'sql  INJECTION', description: 'x' })).toBe(of('zap', {}));
    const different = [
      ...[of('zap', {}), of('nuclei', {}), of(null, {})],
      ...[of('zap', { ruleId: 'SQLI' }), of('zap', { ruleId: null }), of('zap', { title: 'SQL injections' })],
    ];
    expect(new Set(different).size).toBe(different.length);
  });
});
