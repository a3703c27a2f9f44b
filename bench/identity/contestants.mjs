// Ways to recognise the results of one report in the next. Each takes two reports and returns pairs of indexes.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const identity = new URL('../../dist/features/finding/identity/', import.meta.url);
const { matchGroup, matchMoves } = await import(new URL('match.js', identity));
const { matchFile } = await import(new URL('twins.js', identity));

/** @typedef {{ sarif: object, results: { keys: object, item: object, path: string, line: number, text: string }[] }} Report */

const withIds = (report) => report.results.map(({ keys }, id) => ({ id, ...keys }));

function by(candidates, keyOf) {
  const groups = new Map();
  for (const one of candidates) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

/** Ours, given all of a file at once or group by group; moves last. */
function product(keyOf) {
  return (before, after) => recognise(withIds(before), withIds(after), keyOf);
}

function recognise(olds, news, keyOf) {
  const seen = by(news, keyOf);
  const pairs = [...by(olds, keyOf)].flatMap(([key, group]) => matchGroup(group, seen.get(key) ?? []));
  const taken = [new Set(pairs.map(([old]) => old)), new Set(pairs.map(([, one]) => one))];
  const moved = matchMoves(
    olds.filter((one) => !taken[0].has(one)),
    news.filter((one) => !taken[1].has(one)),
  );
  return [...pairs, ...moved].map(([old, one]) => [old.id, one.id]);
}

/** Ours, for what has no twin: a result with the same place and content is the same at once. */
function afterTwins(keyOf) {
  const twins = hashed(({ item, keys }) => [{ ...item, location: { ...item.location, path: keys.path } }]);
  return (before, after) => {
    const found = twins(before, after);
    const [olds, news] = [new Set(found.map(([old]) => old)), new Set(found.map(([, one]) => one))];
    const left = [
      withIds(before).filter(({ id }) => !olds.has(id)),
      withIds(after).filter(({ id }) => !news.has(id)),
    ];
    return [...found, ...recognise(...left, keyOf)];
  };
}

/** Ours, as an import does: twins are found first, and matched again in files in which other results are new. */
function asImport(before, after) {
  const twins = hashed(({ item, keys }) => [{ ...item, location: { ...item.location, path: keys.path } }]);
  const [olds, news] = [withIds(before), withIds(after)];
  const found = twins(before, after).map(([old, seen]) => ({ old: olds[old], seen: news[seen] }));
  const [oldTwins, newTwins] = [new Set(found.map(({ old }) => old)), new Set(found.map(({ seen }) => seen))];
  const byFile = (candidates) => by(candidates, ({ path }) => path);
  const oldsOf = byFile(olds.filter((one) => !oldTwins.has(one)));
  const newsOf = byFile(news.filter((one) => !newTwins.has(one)));
  const twinsOf = by(found, ({ old }) => old.path);
  const left = { olds: new Set(olds), news: new Set(news) };
  const pairs = [];
  const take = (old, seen) => {
    pairs.push([old.id, seen.id]);
    left.olds.delete(old);
    left.news.delete(seen);
  };
  for (const path of new Set([...oldsOf.keys(), ...newsOf.keys(), ...twinsOf.keys()])) {
    const own = twinsOf.get(path) ?? [];
    const matched = matchFile(oldsOf.get(path) ?? [], newsOf.get(path) ?? [], own);
    const parted = new Set(matched.parted);
    for (const twin of own) if (!parted.has(twin)) take(twin.old, twin.seen);
    for (const [old, seen] of matched.pairs) take(old, seen);
  }
  for (const [old, seen] of matchMoves([...left.olds], [...left.news])) take(old, seen);
  return pairs;
}

/** Equal hashes are the same finding; several with one hash are paired as they come. */
function hashed(partsOf) {
  const hashOf = (result) =>
    createHash('sha256')
      .update(JSON.stringify(partsOf(result)))
      .digest('hex');
  return (before, after) => {
    const waiting = by([...before.results.keys()], (index) => hashOf(before.results[index]));
    return [...after.results.keys()].flatMap((index) => {
      const old = waiting.get(hashOf(after.results[index]))?.shift();
      return old === undefined ? [] : [[old, index]];
    });
  };
}

/** @param {string} folder of the tools and of temporary files */
function multitool(folder) {
  const guid = (run, index) => `${run}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  const save = async (name, { sarif }, run) => {
    const log = structuredClone(sarif);
    for (const [index, result] of log.runs[0].results.entries()) result.guid = guid(run, index);
    await writeFile(join(folder, name), JSON.stringify(log));
  };
  return async (before, after) => {
    await Promise.all([save('before.sarif', before, 1), save('after.sarif', after, 2)]);
    const args = ['match-results-forward', 'after.sarif', '-r', 'before.sarif', '-o', 'matched.sarif'];
    await promisify(execFile)('node_modules/.bin/sarif-multitool', [...args, '--log', 'ForceOverwrite'], {
      cwd: folder,
    });
    const { runs } = JSON.parse(await readFile(join(folder, 'matched.sarif'), 'utf8'));
    return runs[0].results.flatMap(({ guid: now, baselineState, properties }) => {
      const then = properties?.ResultMatching?.PreviousGuid;
      const isPair = then !== undefined && ['unchanged', 'updated'].includes(baselineState);
      return isPair ? [[Number(then.slice(-12)), Number(now.slice(-12))]] : [];
    });
  };
}

/** By name: (before, after) → pairs of indexes. The hashes get paths without the checkout and the text of the line. */
export function contestants(folder) {
  return {
    product: product(({ path }) => path),
    'product, as an import does': asImport,
    'product, twins first': afterTwins(({ path }) => path),
    'product, twins first, one group at a time': afterTwins(({ groupKey }) => groupKey),
    'product, one group at a time': product(({ groupKey }) => groupKey),
    'sarif-multitool': multitool(folder),
    'hash of rule, path, line text': hashed(({ item, path, text }) => [
      item.ruleId,
      path,
      text.replace(/\s+/g, ''),
    ]),
    'hash of rule, path, message, severity': hashed(({ item, path }) => [
      item.ruleId,
      path,
      item.description ?? item.title,
      item.severity,
    ]),
  };
}
