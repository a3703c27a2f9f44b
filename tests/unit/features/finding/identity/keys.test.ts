import { expect, test } from '@jest/globals';
import { createRootFinder, identityOf } from '../../../../../src/features/finding/identity/keys.js';
import { itemWith } from './kit.js';

const rootOf = (...paths: string[]) => {
  const finder = createRootFinder();
  for (const path of paths) finder.see(path);
  return finder.root();
};

test('keys are UUID texts, and those without a source are null', () => {
  const keys = identityOf(itemWith({ location: { path: 'a.c', startLine: 3 } }), {});
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  for (const key of [keys.groupKey, keys.ruleKey, keys.messageKey]) expect(key).toMatch(uuid);
  expect(keys).toMatchObject({ fingerprintKey: null, contentKey: null, line: 3, path: 'a.c' });
});

test.each([
  ['/srv/ci/checkout/src/a.c', '/home/builder/job-17/src/a.c'],
  ['file:///srv/ci/checkout/src/a.c', '/home/builder/job-17/src/a.c'],
  ['C:\\jobs\\17\\src\\a.c', 'C:\\jobs\\18\\src\\a.c'],
  ['/home/runner/work/app/app/src/a.c', '/builds/team/app/src/a.c'],
])('a finding in %s is in the same group as one in %s', (one, other) => {
  const groups = [one, other].map((path) =>
    identityOf(itemWith({ location: { path } }), { root: rootOf(path, path.replace('a.c', 'b.c')) }),
  );
  expect(groups[0]?.path).toBe('src/a.c');
  expect(groups[1]?.groupKey).toBe(groups[0]?.groupKey);
});

test('raw paths keep what only looks like a percent escape', () => {
  const keys = identityOf(itemWith({ location: { path: './my dir//a#1%20ü.c' } }), { pathPrefix: 'app/' });
  expect(keys.path).toBe('app/my dir/a#1%20ü.c');
});

test.each([
  ['of the only folder with findings', ['/srv/ci/x/src/a/b.c', '/srv/ci/x/src/a/c.c'], '/srv/ci/x/'],
  [
    'in spite of a system header',
    ['/srv/ci/x/a.c', '/usr/include/string.h', '/srv/ci/x/b/b.c'],
    '/srv/ci/x/',
  ],
  ['in spite of relative paths', ['lib/a.c', '/srv/ci/x/y.c'], '/srv/ci/x/'],
  ['of a runner', ['/home/runner/work/app/app/lib/util/a.c'], '/home/runner/work/app/app/'],
  ['of nothing in common', ['/a/b.c', '/c/d.c'], ''],
  ['of relative paths alone', ['a/b.c'], ''],
])('the root is found %s', (_name, paths, root) => {
  expect(rootOf(...paths)).toBe(root);
});

test.each([
  ['lodash@4.17.20', 'lodash@4.17.21'],
  ['@scope/name@1.0.0', '@scope/name@2.0.0-rc.1'],
  ['pkg:npm/%40scope/name@1.0.0?os=linux', 'pkg:npm/%40scope/name@1.0.1'],
  ['org.apache:commons-text:1.9', 'org.apache:commons-text:1.10.0'],
  ['openssl 1.1.1n-0+deb11u3', 'openssl 1.1.1w-0+deb11u1'],
])('a CVE in %s stays the finding that it is in %s', (before, after) => {
  const [old, seen] = [before, after].map((component) =>
    identityOf(itemWith({ ruleId: 'CVE-2021-1', location: { path: 'package-lock.json', component } }), {}),
  );
  expect(seen?.groupKey).toBe(old?.groupKey);
  expect(seen?.contentKey).not.toBe(old?.contentKey);
});

test.each([
  ['app/libs/commons-compress-1.14.jar', 'app/libs/commons-compress-1.21.jar'],
  ['site-packages/requests-2.25.1.dist-info/METADATA', 'site-packages/requests-2.31.0.dist-info/METADATA'],
  [
    '.pnpm/lodash@4.17.20/node_modules/lodash/package.json',
    '.pnpm/lodash@4.17.21/node_modules/lodash/package.json',
  ],
])('a package in %s stays the one that it is in %s', (before, after) => {
  const [old, seen] = [before, after].map((path) =>
    identityOf(itemWith({ location: { path, component: 'name' } }), {}),
  );
  expect(seen?.groupKey).toBe(old?.groupKey);
});

test('a package in an image is the same under another tag', () => {
  const [old, seen] = ['app:1 (debian 10.4)', 'app:2 (debian 10.4)'].map((evidence) =>
    identityOf(itemWith({ evidence, location: { component: 'openssl@1.1.1n' } }), {}),
  );
  expect(seen).toEqual(old);
});

test('packages of other names are other findings', () => {
  const [one, other] = ['@scope/a', '@scope/b'].map(
    (component) => identityOf(itemWith({ location: { component } }), {}).groupKey,
  );
  expect(one).not.toBe(other);
});

test.each([
  ['Unreachable code (see 3:0).', 'Unreachable code (see 5:0).'],
  ['Artifact: src/a.c\nType: secret', 'Artifact: lib/b.c\nType: secret', 'src/a.c', 'lib/b.c'],
  ['declared in /srv/ci/x/inc/a.h', 'declared in /builds/team/app/inc/a.h'],
  ['Installed Version: 1.1.1n-0+deb11u3', 'Installed Version: 1.1.1w-0+deb11u1'],
  ['at 0x7ffd1200 leaked', 'at 0x7ffe0010 leaked'],
])('the messages "%s" and "%s" are one', (before, after, oldPath = 'x.c', newPath = 'x.c') => {
  const [old, seen] = [
    identityOf(itemWith({ title: before, location: { path: oldPath } }), {}),
    identityOf(itemWith({ title: after, location: { path: newPath } }), {}),
  ];
  expect(seen?.messageKey).toBe(old?.messageKey);
});

test('names that hold digits tell messages apart', () => {
  const [one, other] = ['Use of md5', 'Use of sha1'].map(
    (title) => identityOf(itemWith({ title }), {}).messageKey,
  );
  expect(one).not.toBe(other);
});

test('code is the same after re-indentation and with other line ends', () => {
  const [old, seen] = ['  if (a) {\n    gets(b);\n', '\tif (a) {\r\n\t\tgets(b);'].map(
    (snippet) => identityOf(itemWith({ snippet }), {}).contentKey,
  );
  expect(seen).toBe(old);
});

test('of an excerpt with line numbers only the line that was found counts', () => {
  const [old, seen] = [
    { evidence: '3 import os\n4 os.system(x)\n5 \n', location: { path: 'a.py', startLine: 4 } },
    { evidence: '8 y = 2\n9 os.system(x)\n10 z\n', location: { path: 'a.py', startLine: 9 } },
  ].map((parts) => identityOf(itemWith(parts), {}).contentKey);
  expect(seen).toBe(old);
});

test('a URL is the same without its query, which counts as content', () => {
  const [old, seen] = [
    'https://Shop.example:443/cart/?id=1',
    'https://shop.example/cart;jsessionid=7?id=2#top',
  ].map((url) => identityOf(itemWith({ location: { url } }), {}));
  expect(seen?.groupKey).toBe(old?.groupKey);
  expect(seen?.contentKey).not.toBe(old?.contentKey);
});

test.each([
  [
    'counts alike results',
    '[["primaryLocationLineHash","39fa2ee980eb94b0:1"]]',
    '[["primaryLocationLineHash","39fa2ee980eb94b0:2"]]',
  ],
  ['holds the column', '[["hash","39fa2ee9"],["column","5"]]', '[["hash","39fa2ee9"],["column","9"]]'],
])('a fingerprint that %s is the same without it', (_name, before, after) => {
  const [old, seen] = [before, after].map(
    (toolFingerprint) =>
      identityOf(itemWith({ toolFingerprint, location: { path: 'a.c' } }), {}).fingerprintKey,
  );
  expect(old).not.toBeNull();
  expect(seen).toBe(old);
});

test.each([
  ['names the line', 'src/a.env:aws-key:12'],
  ['is a stand-in', 'requires login'],
])('a fingerprint that %s is none', (_name, toolFingerprint) => {
  const location = { path: 'src/a.env', startLine: 12 };
  expect(identityOf(itemWith({ toolFingerprint, location }), {}).fingerprintKey).toBeNull();
});

test('a masked secret is part of the message rather than code, because others look like it', () => {
  const [one, other] = ['key=********', 'token=********'].map((snippet) =>
    identityOf(itemWith({ snippet }), {}),
  );
  expect(one?.contentKey).toBeNull();
  expect(one?.messageKey).not.toBe(other?.messageKey);
});

test('no key is made of a secret that the evidence masks', () => {
  const [one, other] = ['a', 'b'].map((secret) =>
    identityOf(itemWith({ snippet: `password = "${secret}"`, evidence: 'password = "****"' }), {}),
  );
  expect(one).toEqual(other);
});
