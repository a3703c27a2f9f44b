// Pages of rows by Prisma, newest first; keyset-page.ts has those of plain SQL.
import type { PageRequest } from '../../core/pagination.js';

/**
 * Prisma's query of a page in the order of ids, which is that of creation. It asks for one row more than the page has, so that
 * `toPage` sees whether another page follows.
 * @param matches conditions of the list
 */
export function newestFirst<Where extends object>(
  matches: Where,
  { after, before, isBackward, limit }: PageRequest,
) {
  return {
    where: {
      AND: [
        matches,
        ...(after === null ? [] : [{ id: { lt: after.id } }]),
        ...(before === null ? [] : [{ id: { gt: before.id } }]),
      ],
    },
    orderBy: { id: isBackward ? ('asc' as const) : ('desc' as const) },
    take: limit + 1,
  };
}
