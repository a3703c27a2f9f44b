// Reads a list page by page, up to a limit, for the commands.
import type { Page } from '../queries.js';
import type { Api } from '../session.js';

/**
 * The first `limit` entries of a list.
 * @param pageSize entries that one request asks for; fewer where they are large
 * @param query with the variables $first and $after, and the list as `page`
 */
export async function readPages<Node>(
  api: Pick<Api, 'graphql'>,
  query: string,
  variables: object,
  limit: number,
  pageSize = 100,
): Promise<{ nodes: Node[]; hasMore: boolean }> {
  const nodes: Node[] = [];
  let after: string | null = null;
  for (;;) {
    const first = Math.min(pageSize, limit - nodes.length);
    const { page }: { page: Page<Node> } = await api.graphql(query, { ...variables, first, after });
    nodes.push(...page.nodes);
    after = page.pageInfo.endCursor;
    const hasMore = page.pageInfo.hasNextPage;
    if (!hasMore || nodes.length >= limit) return { nodes, hasMore };
  }
}
