// Lists of executions: every filter alone and in pairs, every order, both paging directions, counts, refused arguments.
import { describe, expect, it } from '@jest/globals';
import {
  brokenCursors,
  type Connection,
  connectionFields,
  countingTiming,
  countStatements,
  forged,
  nodesOf,
  type PageVariables,
  walk,
} from '../../kit/lists.js';
import { createExecution, createPerson, type Person } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

interface Row {
  id: string;
  name: string;
  target: string;
  kind: string;
  status: string;
  createdById: string;
  createdAt: string;
  finishedAt: string | null;
}

const kinds = ['DAST', 'SAST', 'SCA'];
const statuses = ['QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'];
/** Few, so that there are ties; with LIKE's own characters. */
const names = ['alpha scan', 'beta 100% scan', 'gamma_scan', 'Delta Scan', 'back\\slash', 'größe'];
const targets = ['https://a.test', 'https://b.test/x_y', 'repo:100%'];

const server = await useServer({}, countingTiming);
const adminToken = await server.signIn();
const analyst = await createPerson(server, adminToken, 'ANALYST');
const other = await createPerson(server, adminToken, 'ANALYST');
for (let index = 0; index < 37; index += 1) {
  const id = await createExecution(server, index % 3 === 0 ? other.token : analyst.token, {
    name: names[index % names.length],
    target: targets[(index >> 1) % targets.length],
    kind: kinds[(index >> 2) % kinds.length],
  });
  const status = statuses[(index >> 1) % statuses.length] as string;
  const finishedAt = ['QUEUED', 'RUNNING'].includes(status)
    ? null
    : `2026-05-0${1 + (index % 4)}T00:00:00.5Z`;
  await server.sql(
    'UPDATE test_executions SET status = $2, started_at = created_at, finished_at = $3 WHERE id = $1',
    [id.slice(4), status, finishedAt],
  );
}
const fields = 'id name target kind status createdBy { id } createdAt finishedAt';
const nodes = await nodesOf<Row & { createdBy: Person }>(server, analyst.token, 'executions', fields);
const rows = nodes.map(({ createdBy, ...row }) => ({ ...row, createdById: createdBy.id }));

interface ListVariables extends PageVariables {
  filter?: Record<string, unknown> | null;
  orderBy?: { field: string; direction: string } | null;
}

const listQuery = (fields: string, name = '') => `
  query ${name}($first: Int, $after: String, $last: Int, $before: String, $filter: ExecutionFilter, $orderBy: ExecutionOrder) {
    executions(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) { ${fields} }
  }`;

const request = (variables: Record<string, unknown>, fields = connectionFields) =>
  server.gql(listQuery(fields), variables, analyst.token);

async function list(variables: ListVariables, fields?: string): Promise<Connection & { totalCount: number }> {
  return (await request({ ...variables }, fields)).expectData().executions;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const forever = '9999';
/** Keys that rows are ordered by; the id breaks ties. Names are compared as the database does, by its collation. */
const keys: Record<string, (row: Row) => string> = {
  CREATED_AT: () => '',
  FINISHED_AT: ({ finishedAt }) => finishedAt ?? forever,
};

async function inOrder(field: string, direction: string): Promise<string[]> {
  if (field === 'NAME') {
    const sorted = await server.sql<{ id: string }>(
      `SELECT id FROM test_executions ORDER BY name ${direction}, id ${direction}`,
    );
    return sorted.map(({ id }) => `exe_${id}`);
  }
  const key = keys[field] as (row: Row) => string;
  const ascending = [...rows].sort((a, b) => compare(key(a), key(b)) || compare(a.id, b.id));
  return (direction === 'ASC' ? ascending : ascending.reverse()).map(({ id }) => id);
}

describe('paging through executions', () => {
  for (const field of ['CREATED_AT', 'FINISHED_AT', 'NAME']) {
    for (const direction of ['ASC', 'DESC']) {
      it.each([
        [1, 'backward'],
        [4, 'forward'],
        [5, 'backward'],
        [37, 'forward'],
        [100, 'backward'],
      ] as const)(`gives all by ${field} ${direction}, %d at a time, %s`, async (size, way) => {
        const ids = await walk((page) => list({ ...page, orderBy: { field, direction } }), size, way);
        expect(ids).toEqual(await inOrder(field, direction));
      });
    }
  }

  it('gives the newest twenty when nothing is said, and the same for nulls', async () => {
    const expected = (await inOrder('CREATED_AT', 'DESC')).slice(0, 20);
    for (const variables of [{}, { filter: null, orderBy: null, first: null, after: null }, { filter: {} }]) {
      const answer = await server.gql(listQuery(connectionFields), variables, analyst.token);
      expect(answer.expectData().executions.nodes.map(({ id }: Row) => id)).toEqual(expected);
    }
  });

  it('gives what lies between two cursors', async () => {
    const { edges } = await list({ first: 10 });
    const bounds = { after: edges[2]?.cursor as string, before: edges[7]?.cursor as string };
    const between = edges.slice(3, 7).map(({ node }) => node.id);
    expect((await list({ ...bounds, first: 10 })).nodes.map(({ id }) => id)).toEqual(between);
    expect((await list({ ...bounds, last: 2 })).nodes.map(({ id }) => id)).toEqual(between.slice(-2));
  });

  it('goes on from a cursor whose execution is gone', async () => {
    const id = await createExecution(server, analyst.token);
    const [edge] = (await list({ first: 1 })).edges;
    expect(edge?.node.id).toBe(id);
    (
      await server.gql('mutation($id: ID!) { deleteExecution(id: $id) { deletedId } }', { id }, analyst.token)
    ).expectData();
    const next = await list({ first: 3, after: edge?.cursor as string });
    expect(next.nodes.map((node) => node.id)).toEqual((await inOrder('CREATED_AT', 'DESC')).slice(0, 3));
  });
});

describe('filtering executions', () => {
  const contains = (text: string) => (row: Row) =>
    `${row.name}\n${row.target}`.toLowerCase().includes(text.toLowerCase());
  const middle = () => rows[18] as Row;
  type Case = [string, () => Record<string, unknown>, (row: Row) => boolean];
  const cases: Case[] = [
    ['one status', () => ({ status: ['COMPLETED'] }), ({ status }) => status === 'COMPLETED'],
    ['two statuses', () => ({ status: ['QUEUED', 'FAILED'] }), ({ status }) => /QUEUED|FAILED/.test(status)],
    ['a status that none has', () => ({ status: ['INTERRUPTED'] }), () => false],
    ['no status at all', () => ({ status: [] }), () => false],
    ['one kind', () => ({ kind: ['SAST'] }), ({ kind }) => kind === 'SAST'],
    ['two kinds', () => ({ kind: ['SCA', 'DAST'] }), ({ kind }) => kind !== 'SAST'],
    ['a target', () => ({ target: 'https://b.test/x_y' }), ({ target }) => target === 'https://b.test/x_y'],
    ['part of a target', () => ({ target: 'https://b.test' }), () => false],
    ['a text in any case', () => ({ search: 'sCAN' }), contains('scan')],
    ['a per cent sign', () => ({ search: '100%' }), contains('100%')],
    ['an underscore', () => ({ search: 'a_scan' }), contains('a_scan')],
    ['a backslash', () => ({ search: 'k\\sla' }), contains('k\\sla')],
    ['letters beyond ASCII', () => ({ search: 'GRÖßE' }), contains('größe')],
    ['part of a target in a search', () => ({ search: 'B.TEST' }), contains('b.test')],
    ['a creator', () => ({ createdById: other.id }), (row) => row.createdById === other.id],
    [
      'a beginning',
      () => ({ createdAfter: middle().createdAt }),
      (row) => row.createdAt >= middle().createdAt,
    ],
    ['an end', () => ({ createdBefore: middle().createdAt }), (row) => row.createdAt < middle().createdAt],
  ];
  const idsOf = (predicate: (row: Row) => boolean) => rows.filter(predicate).map(({ id }) => id);
  const fields = `totalCount ${connectionFields}`;

  it.each(cases)('finds those with %s', async (_name, filter, fits) => {
    const found = await list({ first: 100, filter: filter() }, fields);
    expect(found.nodes.map(({ id }) => id)).toEqual(idsOf(fits));
    expect(found.totalCount).toBe(idsOf(fits).length);
  });

  it('joins every two conditions by and', async () => {
    for (const [name, filter, fits] of cases) {
      for (const [otherName, otherFilter, otherFits] of cases) {
        if (Object.keys(filter())[0] === Object.keys(otherFilter())[0]) continue;
        const found = await list({ first: 100, filter: { ...filter(), ...otherFilter() } }, 'nodes { id }');
        const expected = idsOf((row) => fits(row) && otherFits(row));
        expect([name, otherName, found.nodes.map(({ id }) => id)]).toEqual([name, otherName, expected]);
      }
    }
  });

  it('pages through what a filter leaves, in both directions', async () => {
    const filter = { search: 'scan', kind: ['DAST', 'SCA'] };
    const fits = idsOf((row) => contains('scan')(row) && row.kind !== 'SAST');
    for (const way of ['forward', 'backward'] as const) {
      expect(await walk((page) => list({ ...page, filter }), 3, way)).toEqual(fits);
    }
  });

  it('takes an execution’s own moment of creation as a beginning that includes it', async () => {
    for (const row of rows) {
      const found = await list({ first: 100, filter: { createdAfter: row.createdAt } });
      expect(found.nodes.map(({ id }) => id)).toEqual(idsOf(({ createdAt }) => createdAt >= row.createdAt));
    }
  });

  it('gives an empty page, without cursors, where nothing fits', async () => {
    expect(await list({ filter: { search: 'nowhere' } }, `totalCount ${connectionFields}`)).toEqual({
      ...{ totalCount: 0, nodes: [], edges: [] },
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  it.each([
    [{ search: '' }, 'filter.search'],
    // No index serves these: at a million executions each would read the whole table.
    [{ search: 'a' }, 'filter.search'],
    [{ search: 'ab' }, 'filter.search'],
    [{ search: '%' }, 'filter.search'],
    [{ search: 'a-b/c' }, 'filter.search'],
    [{ search: 'x'.repeat(201) }, 'filter.search'],
    [{ search: 'a\0b' }, 'filter.search'],
    [{ search: 'a\ud800' }, 'filter.search'],
    [{ status: ['DONE'] }, 'filter.status.0'],
    [{ kind: ['DAST', 'PENTEST'] }, 'filter.kind.1'],
    [{ createdById: 'exe_0199a5a0-0000-7000-8000-000000000000' }, 'filter.createdById'],
    [{ createdAfter: 'yesterday' }, 'filter.createdAfter'],
    [{ createdBefore: '2026-01-01' }, 'filter.createdBefore'],
    [{ createdBefore: '2026-02-30T00:00:00Z' }, 'filter.createdBefore'],
    [{ colour: 'red' }, 'filter.colour'],
  ])('refuses the filter %j', async (filter, path) => {
    const error = (await request({ filter })).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toEqual([expect.objectContaining({ path })]);
  });
});

describe('arguments of the list', () => {
  it.each([0, -1, 101, 2 ** 31, 1.5])('refuses %d entries, as a variable and as a literal', async (size) => {
    for (const name of ['first', 'last']) {
      const literal = `query { executions(${name}: ${size}) { nodes { id } } }`;
      for (const answer of [await request({ [name]: size }), await server.gql(literal, {}, analyst.token)]) {
        const error = answer.expectError('VALIDATION_FAILED');
        expect(error.extensions.fields).toEqual([expect.objectContaining({ path: name })]);
      }
    }
  });

  it('refuses first and last together', async () => {
    const error = (await request({ first: 1, last: 1 })).expectError('VALIDATION_FAILED');
    expect(error.extensions.fields).toEqual([expect.objectContaining({ path: 'last' })]);
  });

  it.each(['after', 'before'])('refuses malformed and forged cursors in %s', async (name) => {
    const orders = { CREATED_AT: brokenCursors, NAME: [forged('NAME'), forged('NAME', 'a\0b')] };
    const times = [
      undefined,
      '',
      'soon',
      '2026-02-31T00:00:00.000Z',
      '1',
      'now',
      '-infinity',
      '2026-01-01T00:00:00Z\0',
    ];
    const forgeries = { ...orders, FINISHED_AT: times.map((key) => forged('FINISHED_AT', key)) };
    for (const [field, cursors] of Object.entries(forgeries)) {
      for (const cursor of cursors) {
        const answer = await request({ [name]: cursor, orderBy: { field, direction: 'ASC' } });
        const { fields } = answer.expectError('VALIDATION_FAILED').extensions;
        expect([cursor, fields]).toEqual([cursor, [{ path: name, message: 'is not a cursor' }]]);
      }
    }
  });

  it('refuses the cursor of another order', async () => {
    const orders = ['CREATED_AT', 'FINISHED_AT', 'NAME'].map((field) => ({ field, direction: 'ASC' }));
    for (const orderBy of orders) {
      const after = (await list({ first: 1, orderBy })).pageInfo.endCursor as string;
      for (const otherOrder of orders.filter(({ field }) => field !== orderBy.field)) {
        const error = (await request({ after, orderBy: otherOrder })).expectError('VALIDATION_FAILED');
        expect(error.extensions.fields).toEqual([
          { path: 'after', message: 'belongs to a list in another order' },
        ]);
      }
    }
  });

  it('counts in a statement of its own, only when the count is selected', async () => {
    const count = async (fields: string) =>
      (await countStatements(server, listQuery(fields, 'Counted'), { first: 2 })).statements;
    expect(await count('nodes { id }')).toBe(1);
    expect(await count('nodes { id } totalCount')).toBe(2);
    expect((await list({ first: 2 }, 'totalCount')).totalCount).toBe(rows.length);
  });
});
