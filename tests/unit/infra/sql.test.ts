// Pieces of SQL: column lists, conditions, LIKE patterns and keyset clauses, as text and values.
import { describe, expect, it } from '@jest/globals';
import { encodeCursor, parsePage } from '../../../src/core/pagination.js';
import {
  fetchPage,
  isMoment,
  type KeysetOrder,
  pageClauses,
} from '../../../src/infra/postgres/keyset-page.js';
import { columnsOf, fetchOfEach, type Sql, sql, where } from '../../../src/infra/postgres/sql.js';

const id = '0199a5a0-0000-7000-8000-000000000001';
interface Row {
  id: string;
  name: string;
}
const byId: KeysetOrder<Row> = { name: 'CREATED_AT', isDescending: true };
const byName: KeysetOrder<Row> = {
  name: 'NAME',
  isDescending: false,
  key: { expression: sql`name`, type: sql`text`, of: (row) => row.name, is: () => true },
};
const textOf = (statement: Sql) => statement.text.replace(/\s+/g, ' ').trim();

describe('pieces of SQL', () => {
  it('name columns after fields, with an alias where one is needed', () => {
    const fields = { id: 'id', createdById: 'createdById', references: 'references' };
    expect(columnsOf(fields).text).toBe('"id", "created_by_id" AS "createdById", "references"');
    expect(columnsOf(fields, 'e').text).toBe('e."id", e."created_by_id" AS "createdById", e."references"');
  });

  it('join conditions by and, and say nothing without any', () => {
    expect(where([]).text).toBe('');
    const condition = where([sql`a = ${1}`, sql`b = ${'x'}`]);
    expect([condition.text, condition.values]).toEqual(['WHERE a = $1 AND b = $2', [1, 'x']]);
  });

  it('tell a moment from what looks like one', () => {
    expect(isMoment('2026-01-31T09:30:00.000Z')).toBe(true);
    for (const text of ['', 'now', '1', '2026-01-31', '2026-02-30T00:00:00.000Z', '2026-01-31T09:30:00Z'])
      expect([text, isMoment(text)]).toEqual([text, false]);
  });
});

describe('keyset clauses', () => {
  const clauses = (order: KeysetOrder<Row>, args: Parameters<typeof parsePage>[0]) =>
    pageClauses({ conditions: [sql`kind = ${'DAST'}`], order }, parsePage(args, order.name, order.key?.is));

  it('order by the id alone and fetch one row more than the page', () => {
    const found = clauses(byId, { first: 5 });
    expect(textOf(found)).toBe('WHERE kind = $1 ORDER BY id DESC LIMIT $2');
    expect(found.values).toEqual(['DAST', 6]);
  });

  it('turn the order round from the end', () => {
    expect(textOf(clauses(byId, { last: 5 }))).toContain('ORDER BY id ASC');
    expect(textOf(clauses(byName, { last: 5 }))).toContain('ORDER BY name DESC, id DESC');
  });

  it('begin after and end before cursors, in the order’s own direction', () => {
    const after = encodeCursor('CREATED_AT', { id });
    expect(textOf(clauses(byId, { after }))).toContain('AND id < $2::uuid ORDER BY id DESC');
    expect(textOf(clauses(byId, { before: after, last: 1 }))).toContain('AND id > $2::uuid ORDER BY id ASC');
    const named = encodeCursor('NAME', { id, key: 'k' });
    const both = clauses(byName, { after: named, before: named });
    expect(textOf(both)).toContain(
      'AND (name, id) > ($2::text, $3::uuid) AND (name, id) < ($4::text, $5::uuid)',
    );
    expect(both.values).toEqual(['DAST', 'k', id, 'k', id, 21]);
  });
});

describe('fetching', () => {
  it('gives a page whose cursors lead on', async () => {
    const rows = ['a', 'b', 'c'].map((name, index) => ({ id: id.replace(/1$/, String(index)), name }));
    const source = { select: sql`SELECT 1`, conditions: [], order: byName };
    const page = await fetchPage<Row>(
      async () => rows,
      source,
      { first: 2 },
      async () => 3,
    );
    expect(page.rows.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(parsePage({ after: page.cursorOf(rows[1] as Row) }, 'NAME', () => true).after).toEqual({
      ...{ key: 'b', id: rows[1]?.id },
    });
  });

  it('gives every parent its rows, asking once for each', async () => {
    const statements: Sql[] = [];
    const query = async (statement: Sql) => {
      statements.push(statement);
      return [
        { id: '1', name: 'a' },
        { id: '2', name: 'a' },
      ];
    };
    const found = await fetchOfEach<Row>(query, ['a', 'b', 'a'], sql`SELECT 1`, ({ name }) => name);
    expect([...found].map(([parent, rows]) => [parent, rows.length])).toEqual([
      ['a', 2],
      ['b', 0],
    ]);
    expect(statements.map(({ values }) => values)).toEqual([[['a', 'b']]]);
  });
});
