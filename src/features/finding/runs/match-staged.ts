// Recognises staged results as existing findings: file by file, then across files for the rest.
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { sql } from '../../../infra/postgres/sql.js';
import { createLeftovers, type Leftovers } from '../identity/leftovers.js';
import { type Candidate, matchGroup } from '../identity/match.js';
import { matchFile, type Twins } from '../identity/twins.js';
import type { SeriesState } from './series.js';
import { forgetTwins, stageParted, twinsOf } from './staged-twins.js';

/** The key that two cursors are merged by: the file, or the group of findings without one. */
interface InFile extends Candidate {
  fileKey: string;
}

/** A finding that the run has not seen as it was. */
interface OldFinding extends InFile {
  id: string;
  /** Whether the branch, or the default one for a branch without runs, shows it. */
  isOpen: boolean;
}

/** A staged result; `id` is its position. */
interface NewResult extends InFile {
  id: number;
}

/** A finding and the position of its twin, which has its keys. */
interface TwinRow extends OldFinding {
  position: number;
}

const fetchSize = 2000;

const keys = sql`group_key AS "groupKey", rule_key AS "ruleKey", fingerprint_key AS "fingerprintKey",
  snippet_key AS "contentKey", message_key AS "messageKey", line, path,
  CASE path WHEN '' THEN group_key ELSE md5(path)::uuid END AS "fileKey"`;

/**
 * Writes to staged_matches which finding each staged result is. Both sides are read in the order of their files, so that
 * one file of each is held at a time.
 * @returns whether too much was left to look for what moved between files, which counts as new and absent then
 */
export async function matchStaged(
  newRows: BulkConnection,
  oldRows: BulkConnection,
  importId: string,
  { id: seriesId, branchId, defaultBranchId }: SeriesState,
): Promise<boolean> {
  if (branchId === null) await forgetTwins(oldRows, importId);
  await Promise.all([newRows.query(sql`BEGIN`), oldRows.query(sql`BEGIN`)]);
  const shownOn = branchId ?? defaultBranchId ?? 0;
  // Without statistics PostgreSQL would compare each row with each match.
  await Promise.all([newRows, oldRows].map((rows) => rows.query(sql`SET LOCAL enable_nestloop = off`)));
  await oldRows.query(sql`DECLARE twins NO SCROLL CURSOR FOR ${twinsOf(importId, seriesId, keys)}`);
  await newRows.query(sql`
    DECLARE staged NO SCROLL CURSOR FOR SELECT position AS id, ${keys} FROM staged_results AS staged
    WHERE import_id = ${importId}::uuid AND NOT EXISTS (
      SELECT FROM staged_matches AS done WHERE done.import_id = staged.import_id AND done.position = staged.position)
    ORDER BY "fileKey", position`);
  await oldRows.query(sql`
    DECLARE found NO SCROLL CURSOR FOR SELECT id, ${keys}, EXISTS (
      SELECT FROM test_results WHERE finding_id = findings.id AND scan_branch_id = ${shownOn} AND until_run IS NULL
    ) AS "isOpen"
    FROM findings WHERE series_id = ${seriesId} AND id NOT IN (
      SELECT finding_id FROM staged_sightings WHERE import_id = ${importId}::uuid
      UNION ALL SELECT finding_id FROM staged_matches WHERE import_id = ${importId}::uuid)
    ORDER BY "fileKey", id`);
  let pairs: [OldFinding, NewResult][] = [];
  let parted: number[] = [];
  const at = new Date();
  const write = async () => {
    await stageParted(oldRows, importId, parted, at);
    parted = [];
    await oldRows.query(sql`
      INSERT INTO staged_matches (import_id, position, finding_id)
      SELECT ${importId}::uuid, * FROM unnest(${pairs.map(([, { id }]) => id)}::int[], ${pairs.map(([{ id }]) => id)}::uuid[])`);
    pairs = [];
  };
  const left = createLeftovers<OldFinding, NewResult>();
  for await (const group of groupsOf(
    createReader<OldFinding>(oldRows, 'found'),
    createReader<NewResult>(newRows, 'staged'),
    createReader<TwinRow>(oldRows, 'twins'),
  )) {
    const matched = matchWithin(group);
    for (const pair of matched.pairs) pairs.push(pair);
    for (const { seen } of matched.parted) parted.push(seen.id);
    leave(left, group, matched);
    if (pairs.length + parted.length >= fetchSize) await write();
  }
  const moved = left.match();
  for (const pair of moved ?? []) pairs.push(pair);
  await write();
  await oldRows.query(sql`COMMIT`);
  await newRows.query(sql`ROLLBACK`);
  return moved === undefined;
}

interface Group {
  olds: OldFinding[];
  news: NewResult[];
}

interface GroupWithTwins extends Group {
  twins: Twins<OldFinding, NewResult>[];
}

interface MatchedGroup {
  pairs: [OldFinding, NewResult][];
  parted: Twins<OldFinding, NewResult>[];
}

/** Matches present findings first. An absent finding needs more evidence than its place. */
function matchWithin({ olds, news, twins }: GroupWithTwins): MatchedGroup {
  if (news.length === 0) return { pairs: [], parted: [] };
  const { pairs, parted } = matchFile(
    olds.filter(({ isOpen }) => isOpen),
    news,
    twins,
  );
  const taken = new Set(pairs.map(([, { id }]) => id));
  const again = matchGroup(
    olds.filter(({ isOpen }) => !isOpen),
    [...news, ...parted.map(({ seen }) => seen)].filter(({ id }) => !taken.has(id)),
  );
  return { pairs: [...pairs, ...again.filter(([old, seen]) => isAlike(old, seen))], parted };
}

function isAlike(old: Candidate, seen: Candidate): boolean {
  if (old.fingerprintKey !== null && old.fingerprintKey === seen.fingerprintKey) return true;
  if (old.contentKey !== null && seen.contentKey !== null) return old.contentKey === seen.contentKey;
  return old.messageKey === seen.messageKey;
}

/** Absent findings do not move. */
function leave(
  left: Leftovers<OldFinding, NewResult>,
  { olds, news }: Group,
  { pairs, parted }: MatchedGroup,
): void {
  const takenOlds = new Set(pairs.map(([{ id }]) => id));
  const takenNews = new Set(pairs.map(([, { id }]) => id));
  const allOlds = [...olds, ...parted.map(({ old }) => old)];
  const allNews = [...news, ...parted.map(({ seen }) => seen)];
  left.add(
    allOlds.filter(({ id, isOpen }) => isOpen && !takenOlds.has(id)),
    allNews.filter(({ id }) => !takenNews.has(id)),
  );
}

/** Reads a cursor row by row, one row ahead. */
interface Reader<Row> {
  peek: () => Promise<Row | undefined>;
  take: () => Row;
}

const fetches = {
  found: sql`FETCH 2000 FROM found`,
  staged: sql`FETCH 2000 FROM staged`,
  twins: sql`FETCH 2000 FROM twins`,
};

function createReader<Row>(connection: BulkConnection, cursor: 'found' | 'staged' | 'twins'): Reader<Row> {
  let rows: Row[] = [];
  let at = 0;
  let isOver = false;
  const fetchNext = fetches[cursor];
  return {
    async peek() {
      if (at === rows.length && !isOver) {
        rows = await connection.query<Row>(fetchNext);
        at = 0;
        isOver = rows.length < fetchSize;
      }
      return rows[at];
    },
    take: () => rows[at++] as Row,
  };
}

/** Merges cursors by their files. */
async function* groupsOf(
  olds: Reader<OldFinding>,
  news: Reader<NewResult>,
  twins: Reader<TwinRow>,
): AsyncGenerator<GroupWithTwins> {
  for (;;) {
    const next = [await olds.peek(), await news.peek(), await twins.peek()].filter(
      (row) => row !== undefined,
    );
    const [key] = next.map(({ fileKey }) => fileKey).sort();
    if (key === undefined) return;
    const rows = await takeGroup(twins, key);
    yield {
      olds: await takeGroup(olds, key),
      news: await takeGroup(news, key),
      twins: rows.map(({ position, ...old }) => ({
        old: { ...old, isOpen: true },
        seen: { ...old, id: position },
      })),
    };
  }
}

async function takeGroup<Row extends InFile>(reader: Reader<Row>, key: string): Promise<Row[]> {
  const group: Row[] = [];
  for (let row = await reader.peek(); row?.fileKey === key; row = await reader.peek())
    group.push(reader.take());
  return group;
}
