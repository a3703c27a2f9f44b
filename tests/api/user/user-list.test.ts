// The list of users: filters, search and paging both ways.
import { describe, expect, it, jest } from '@jest/globals';
import { admin, type GqlAnswer } from '../../kit/harness.js';
import { createPerson, password } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

interface Connection {
  edges: { cursor: string; node: { name: string } }[];
  nodes: { name: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  totalCount: number;
}

const query = `query($first: Int, $after: String, $last: Int, $before: String, $filter: UserFilter) {
  users(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    edges { cursor node { name } } nodes { name } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

/** Name, e-mail and role, oldest first; the first admin is older still. */
const people = [
  ['Anna Berg', 'anna@list.test', 'ADMIN'],
  ['Bert 100% Sure', 'bert@list.test', 'ANALYST'],
  ['Bert 100 Percent', 'bert.percent@list.test', 'ANALYST'],
  ['Carla_Under', 'carla_under@list.test', 'VIEWER'],
  ['CarlaXUnder', 'carlaxunder@list.test', 'VIEWER'],
  ['Back\\slash', 'dora@list.test', 'VIEWER'],
  ['Émile Zola', 'emile@list.test', 'VIEWER'],
] as const;
const newestFirst = [...people.map(([name]) => name).reverse(), 'Administrator'];

const server = await useServer();
const token = await server.signIn();
for (const [name, email, role] of people) {
  const made = await server.change('createUser', { name, email, role, password }, 'user { id }', token);
  if (email === 'dora@list.test') {
    const { id } = made.expectData().createUser.user;
    const change = 'mutation($id: ID!) { deactivateUser(id: $id) { user { id } } }';
    (await server.gql(change, { id }, token)).expectData();
  }
}

const ask = (args: Record<string, unknown>): Promise<GqlAnswer> => server.gql(query, args, token);
const list = async (args: Record<string, unknown> = {}): Promise<Connection> =>
  (await ask(args)).expectData().users;
const namesOf = async (filter: Record<string, unknown>): Promise<string[]> =>
  (await list({ filter })).nodes.map(({ name }) => name);

describe('the list of users', () => {
  it('is newest first, with edges, nodes and a count that agree', async () => {
    const { nodes, edges, totalCount, pageInfo } = await list();
    expect(nodes.map(({ name }) => name)).toEqual(newestFirst);
    expect(edges.map(({ node }) => node)).toEqual(nodes);
    expect(totalCount).toBe(8);
    expect(pageInfo).toEqual({
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: edges[0]?.cursor,
      endCursor: edges.at(-1)?.cursor,
    });
  });

  it('is filtered by role and status', async () => {
    expect(await namesOf({ role: 'ANALYST' })).toEqual(['Bert 100 Percent', 'Bert 100% Sure']);
    expect(await namesOf({ status: 'DEACTIVATED' })).toEqual(['Back\\slash']);
    expect(await namesOf({ role: 'ADMIN', status: 'ACTIVE' })).toEqual(['Anna Berg', 'Administrator']);
    expect(await namesOf({ role: null, status: null, search: null })).toHaveLength(8);
  });

  it('is searched in name and e-mail in any case', async () => {
    expect(await namesOf({ search: 'BERG' })).toEqual(['Anna Berg']);
    expect(await namesOf({ search: 'bert.PERCENT@' })).toEqual(['Bert 100 Percent']);
    expect(await namesOf({ search: admin.email })).toEqual(['Administrator']);
    expect(await namesOf({ search: 'émile' })).toEqual(['Émile Zola']);
    expect(await namesOf({ search: 'E\u0301mile' })).toEqual(['Émile Zola']);
    expect(await namesOf({ search: 'nobody at all' })).toEqual([]);
  });

  it('takes the wildcards of SQL literally', async () => {
    expect(await namesOf({ search: '100%' })).toEqual(['Bert 100% Sure']);
    expect(await namesOf({ search: 'carla_' })).toEqual(['Carla_Under']);
    expect(await namesOf({ search: '\\' })).toEqual(['Back\\slash']);
    expect(await namesOf({ search: '\\s' })).toEqual(['Back\\slash']);
    expect(await namesOf({ search: '%' })).toEqual(['Bert 100% Sure']);
    expect(await namesOf({ search: "' OR 1=1 --" })).toEqual([]);
  });

  it('joins conditions by and, and counts what it filters', async () => {
    const filter = { role: 'VIEWER', search: 'under' };
    const page = await list({ filter, first: 1 });
    expect(page.nodes).toEqual([{ name: 'CarlaXUnder' }]);
    expect(page.totalCount).toBe(2);
  });

  it('refuses wrong filters with their paths', async () => {
    for (const [path, filter] of [
      ['filter.role', { role: 'ROOT' }],
      ['filter.search', { search: '' }],
      ['filter.search', { search: 'x'.repeat(201) }],
      ['filter.search', { search: 'a\u0000' }],
      ['filter.nickname', { nickname: 'x' }],
    ] as const) {
      const { extensions } = (await ask({ filter })).expectError('VALIDATION_FAILED');
      expect(extensions.fields).toEqual([expect.objectContaining({ path })]);
    }
  });
});

describe('paging through users', () => {
  it('goes forward page by page without gap or double', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    for (const size of [3, 3, 2]) {
      const { nodes, pageInfo, totalCount }: Connection = await list({ first: 3, after });
      seen.push(...nodes.map(({ name }) => name));
      expect(nodes).toHaveLength(size);
      expect(totalCount).toBe(8);
      expect(pageInfo.hasPreviousPage).toBe(after !== null);
      expect(pageInfo.hasNextPage).toBe(size === 3);
      after = pageInfo.endCursor;
    }
    expect(seen).toEqual(newestFirst);
    const beyond = await list({ first: 3, after });
    expect(beyond.nodes).toEqual([]);
    expect(beyond.pageInfo).toMatchObject({ hasNextPage: false, startCursor: null, endCursor: null });
  });

  it('goes backward page by page without gap or double', async () => {
    const seen: string[] = [];
    let before: string | null = null;
    for (const size of [3, 3, 2]) {
      const { nodes, pageInfo }: Connection = await list({ last: 3, before });
      seen.unshift(...nodes.map(({ name }) => name));
      expect(nodes).toHaveLength(size);
      expect(pageInfo.hasNextPage).toBe(before !== null);
      expect(pageInfo.hasPreviousPage).toBe(size === 3);
      before = pageInfo.startCursor;
    }
    expect(seen).toEqual(newestFirst);
  });

  it('between two cursors gives what lies between', async () => {
    const { edges } = await list();
    const page = await list({ after: edges[1]?.cursor, before: edges[5]?.cursor });
    expect(page.nodes.map(({ name }) => name)).toEqual(newestFirst.slice(2, 5));
  });

  it('is stable while users are added', async () => {
    const first = await list({ first: 4 });
    (
      await server.change(
        'createUser',
        { name: 'Late', email: 'late@list.test', role: 'VIEWER', password },
        'user { id }',
        token,
      )
    ).expectData();
    const second = await list({ first: 4, after: first.pageInfo.endCursor });
    expect(second.nodes.map(({ name }) => name)).toEqual(newestFirst.slice(4));
  });

  it('refuses sizes and cursors that are none, with the argument’s path', async () => {
    const cursor = (await list({ first: 1 })).pageInfo.endCursor;
    const foreign = Buffer.from(
      `NAME:${Buffer.from(cursor, 'base64url').toString().split(':')[1]}:x`,
    ).toString('base64url');
    for (const [path, args] of [
      ['first', { first: 0 }],
      ['first', { first: -1 }],
      ['first', { first: 101 }],
      ['first', { first: 2 ** 31 }],
      ['first', { first: 1.5 }],
      ['first', { first: '3' }],
      ['last', { last: 0 }],
      ['last', { last: 101 }],
      ['last', { first: 1, last: 1 }],
      ['after', { after: '' }],
      ['after', { after: 'not a cursor' }],
      ['after', { after: `${cursor}=` }],
      ['after', { after: foreign }],
      ['after', { after: 'x'.repeat(3000) }],
      ['before', { before: 'AAAA' }],
    ] as const) {
      const { extensions } = (await ask(args)).expectError('VALIDATION_FAILED');
      expect([args, extensions.fields]).toEqual([args, [expect.objectContaining({ path })]]);
    }
  });
});

describe('a user who is deleted between the list and the relation', () => {
  it.each(['apiKeys', 'sessions', 'identities'])(
    'is NOT_FOUND to %s, which is no fault of the server',
    async (relation) => {
      const person = await createPerson(server, token, 'VIEWER');
      const { users } = server.services;
      const read = users.list;
      const between = jest.spyOn(users, 'list').mockImplementation(async (...args) => {
        const page = await read(...args);
        await server.sql('DELETE FROM users WHERE id = $1', [person.id.slice(4)]);
        return page;
      });
      const answer = await server.gql(`{ users { nodes { ${relation} { id } } } }`, {}, token);
      between.mockRestore();
      answer.expectError('NOT_FOUND');
      (await server.gql(`{ users { nodes { ${relation} { id } } } }`, {}, token)).expectData();
    },
  );
});
