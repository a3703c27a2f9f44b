// Helpers for Relay lists: walking them page by page in both directions, forging cursors, counting SQL statements.
import { expect } from '@jest/globals';
import type { GqlAnswer, TestServer } from './harness.js';
import { until } from './live.js';

export interface Connection {
  nodes: { id: string }[];
  edges: { cursor: string; node: { id: string } }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}

/** The selection that {@link Connection} needs. */
export const connectionFields =
  'nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';

export type PageVariables = { first?: number; after?: string; last?: number; before?: string };

/**
 * Reads a whole list page by page and checks what each page says of itself.
 * @returns the ids in the list's order
 */
export async function walk(
  read: (page: PageVariables) => Promise<Connection>,
  size: number,
  direction: 'forward' | 'backward',
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    const isForward = direction === 'forward';
    const bound = cursor === undefined ? {} : isForward ? { after: cursor } : { before: cursor };
    const { nodes, edges, pageInfo } = await read({
      ...(isForward ? { first: size } : { last: size }),
      ...bound,
    });
    const page = nodes.map(({ id }) => id);
    expect(edges.map(({ node }) => node.id)).toEqual(page);
    expect(pageInfo.startCursor).toBe(edges[0]?.cursor ?? null);
    expect(pageInfo.endCursor).toBe(edges.at(-1)?.cursor ?? null);
    expect(isForward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage).toBe(cursor !== undefined);
    if (isForward) ids.push(...page);
    else ids.unshift(...page);
    const [hasMore, next] = isForward
      ? [pageInfo.hasNextPage, pageInfo.endCursor]
      : [pageInfo.hasPreviousPage, pageInfo.startCursor];
    if (!hasMore || next === null) return ids;
    expect(page).toHaveLength(size);
    cursor = next;
  }
}

/** Up to a hundred nodes of a list, newest first. */
export async function nodesOf<Node>(
  server: TestServer,
  token: string,
  list: 'executions' | 'results',
  fields: string,
): Promise<Node[]> {
  const answer = await server.gql(`{ ${list}(first: 100) { nodes { ${fields} } } }`, {}, token);
  return answer.expectData()[list].nodes;
}

/** A cursor of this content, as a client could forge it. */
export const cursorOf = (content: string) => Buffer.from(content, 'utf8').toString('base64url');

const someId = '0199a5a0-0000-7000-8000-000000000000';

/** Cursors that no list gives, whatever its order. */
export const brokenCursors = [
  ...['', ' ', 'x', 'not a cursor', '!!!', 'null', 'é', '\0', '='.repeat(3), 'A'.repeat(3000)],
  ...[':', 'CREATED_AT', 'CREATED_AT:', 'CREATED_AT:1', 'CREATED_AT:not-a-uuid'].map(cursorOf),
  cursorOf(`created_at:${someId}`),
  cursorOf(`CREATED_AT:${someId.toUpperCase().replace('A', 'G')}`),
  cursorOf(`CREATED_AT:${someId}:more`),
  Buffer.from([0xff, 0xfe, 0x00, 0x80]).toString('base64url'),
];

/** A forged cursor of an order with this key, or none. */
export const forged = (order: string, key?: string) =>
  cursorOf(`${order}:${someId}${key === undefined ? '' : `:${key}`}`);

/** For servers whose statements are counted: none is for a session or a user that was looked up a while ago. */
export const countingTiming = { timing: { believeMs: 600_000, believeProfileMs: 600_000 } };

/**
 * Runs a named operation as the admin and reads its line in the request log. With a sign-in of its own, which is
 * checked just before.
 */
export async function countStatements(
  server: TestServer,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<{ answer: GqlAnswer; statements: number }> {
  const token = await server.signIn();
  (await server.gql('query WarmUp { me { id } }', {}, token)).expectData();
  const answer = await server.gql(query, variables, token);
  const correlationId = answer.headers.get('x-correlation-id');
  const line = () =>
    server.logs.find((entry) => entry.event === 'request' && entry.correlationId === correlationId);
  await until(() => line() !== undefined, `the line of ${correlationId}`);
  return { answer, statements: line()?.dbQueries as number };
}
