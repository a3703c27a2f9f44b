import { expect, test } from '@jest/globals';
import { matchGroup, matchMoves } from '../../../../../src/features/finding/identity/match.js';
import { candidate, read } from './kit.js';

const all = (...texts: string[]) => texts.map((text) => candidate(text));
const lines = (...numbers: number[]) => numbers.map((line) => candidate(`a.c:${line} gets`));

test('shifted findings find themselves', () => {
  expect(read(matchGroup(lines(3, 4, 9), lines(5, 6, 11)))).toEqual([
    'a.c:3 → a.c:5',
    'a.c:4 → a.c:6',
    'a.c:9 → a.c:11',
  ]);
});

test.each([
  ['first', [20, 30, 40, 50], [20, 30, 40, 50]],
  ['third, in place', [10, 20, 40, 50], [10, 20, 40, 50]],
  ['third, with its line', [10, 20, 40, 50], [10, 20, 39, 49]],
  ['third, below two new lines', [10, 20, 40, 50], [12, 22, 42, 52]],
  ['last, below two new lines', [10, 20, 30, 40], [12, 22, 32, 42]],
])('of five alike the %s is fixed', (_name, stayed, now) => {
  const pairs = matchGroup(lines(10, 20, 30, 40, 50), lines(...now));
  expect(read(pairs)).toEqual(stayed.map((line, index) => `a.c:${line} → a.c:${now[index]}`).sort());
});

test('other findings of the file say which of two alike was fixed', () => {
  const olds = all('a.c:5 other', 'a.c:10 gets', 'a.c:20 gets', 'a.c:25 third');
  const news = all('a.c:15 other', 'a.c:20 gets', 'a.c:35 third');
  expect(read(matchGroup(olds, news))).toContain('a.c:10 → a.c:20');
});

test('code tells findings apart that have changed places', () => {
  const pairs = matchGroup(all('a.c:1 r x', 'a.c:2 r y'), all('a.c:1 r y', 'a.c:2 r x'));
  expect(read(pairs)).toEqual(['a.c:1 → a.c:2', 'a.c:2 → a.c:1']);
});

test('two findings of one line differ by a line of their messages', () => {
  const [a, b] = ['Secret: A', 'Secret: B'].map((description) => ({ description }));
  const olds = [
    { ...candidate('x:3 r', a), id: 'A' },
    { ...candidate('x:3 r', b), id: 'B' },
  ];
  const news = [
    { ...candidate('x:4 r', b), id: 'b' },
    { ...candidate('x:4 r', a), id: 'a' },
  ];
  expect(read(matchGroup(olds, news))).toEqual(['A → a', 'B → b']);
});

test('a fingerprint that several findings share decides nothing alone', () => {
  const shared = { toolFingerprint: 'same' };
  const olds = [candidate('x:3 r one', shared), candidate('x:9 r two', shared)];
  const news = [candidate('x:4 r two', shared), candidate('x:8 r one', shared)];
  expect(read(matchGroup(olds, news))).toEqual(['x:3 → x:8', 'x:9 → x:4']);
});

test('a unique fingerprint outlives a change of code, message and line', () => {
  const olds = [candidate('x:3 r one', { toolFingerprint: 'f' })];
  const news = [candidate('x:90 r two', { toolFingerprint: 'f', title: 'Reworded' })];
  expect(read(matchGroup(olds, news))).toEqual(['x:3 → x:90']);
});

test('an edited line is the finding that it was, another one far away is not', () => {
  const olds = all('x:3 r strcpy(a,b)');
  expect(read(matchGroup(olds, all('x:5 r strcpy(a,c)')))).toEqual(['x:3 → x:5']);
  expect(matchGroup(olds, all('x:500 r strcpy(a,c)'))).toEqual([]);
});

test('groups do not mix', () => {
  expect(matchGroup(all('a:1 r x'), all('b:1 r x', 'a:1 s x'))).toEqual([]);
});

test('a renamed file takes its findings along, also when one was fixed', () => {
  const olds = all('src/a.c:3 r x', 'src/a.c:5 r x', 'src/a.c:9 s y');
  const news = all('src/b.c:3 r x', 'src/b.c:9 s y');
  expect(read(matchMoves(olds, news))).toEqual(['src/a.c:3 → src/b.c:3', 'src/a.c:9 → src/b.c:9']);
});

test('a renamed folder takes all alike files along', () => {
  const names = Array.from({ length: 60 }, (_, index) => `mod${index}/index.js:4 eval`);
  const pairs = matchMoves(
    all(...names.map((name) => `src/${name}`)),
    all(...names.map((name) => `lib/${name}`)),
  );
  expect(pairs).toHaveLength(60);
  for (const [old, seen] of pairs) expect(seen.path.slice(4)).toBe(old.path.slice(4));
});

test('a single finding moves where its code left one file and came up in one other', () => {
  const stays = ['a.c:1 q p', 'b.c:1 z p'];
  expect(read(matchMoves(all('a.c:30 r gets(line)'), all('b.c:7 r gets(line)')))).toEqual(['a.c:30 → b.c:7']);
  expect(matchMoves(all('a.c:30 r gets(x)', stays[0] ?? ''), all('b.c:7 r gets(y)', stays[1] ?? ''))).toEqual(
    [],
  );
});

test('two files that one finding could have come from are too many', () => {
  const olds = all('a.c:30 r gets(x)', 'c.c:31 r gets(x)');
  expect(matchMoves(olds, all('b.c:7 r gets(x)'))).toEqual([]);
});

test('a message without code at another place is no move', () => {
  expect(matchMoves(all('a.js:30 no-eval'), all('b.js:7 no-eval'))).toEqual([]);
});

test('URLs do not move', () => {
  const at = (url: string) => candidate('x', { location: { url } });
  expect(matchMoves([at('https://a.example/x')], [at('https://a.example/y')])).toEqual([]);
});

test('findings whose messages a new version of the tool rewords are recognised by their distances', () => {
  const at = (title: string, ...numbers: number[]) =>
    numbers.map((line) => candidate(`a.js:${line} r`, { title }));
  const pairs = matchGroup(at('Old words', 3, 40, 90), at('New words', 23, 60, 110));
  expect(read(pairs)).toEqual(['a.js:3 → a.js:23', 'a.js:40 → a.js:60', 'a.js:90 → a.js:110']);
});

test('without code, a finding does not pass neighbours that stay', () => {
  const olds = all('a.js:10 eval', 'a.js:20 other', 'a.js:30 third');
  const news = all('a.js:20 other', 'a.js:30 third', 'a.js:200 eval');
  expect(read(matchGroup(olds, news))).toEqual(['a.js:20 → a.js:20', 'a.js:30 → a.js:30']);
});

test('two versions of a package in one file stay two findings when both go up', () => {
  const at = (...components: string[]) =>
    components.map((component) => ({
      ...candidate('package-lock.json CVE-2021-1', { location: { path: 'package-lock.json', component } }),
      id: component,
    }));
  const olds = at('lodash@3.9.1', 'lodash@4.17.1');
  expect(matchGroup(olds, at('lodash@3.9.2', 'lodash@4.17.2'))).toHaveLength(2);
  expect(read(matchGroup(olds, at('lodash@4.17.1')))).toEqual(['lodash@4.17.1 → lodash@4.17.1']);
});
