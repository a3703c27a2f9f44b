// What every resolver gets: who asks, the services, and loaders that batch the request's reads.
import DataLoader from 'dataloader';
import type { ExecutionResult } from 'graphql';
import type { Viewer } from '../core/access.js';
import { AppError } from '../core/errors.js';
import type { Page, PageArgs } from '../core/page.js';
import type { Stream } from '../core/stream.js';
import type { ApiKeyRow } from '../features/api-key/api-key.service.js';
import type { ExecutionRow } from '../features/execution/execution.service.js';
import type { ResultFilter } from '../features/result/result.input.js';
import type { ResultRow } from '../features/result/result.service.js';
import type { SessionRow } from '../features/session/session.service.js';
import type { User } from '../generated/prisma/client.js';
import type { Columns } from '../infra/sql.js';
import type { Services } from '../services.js';

interface ResultPageKey {
  execution: ExecutionRow;
  filter: ResultFilter;
  args: PageArgs;
  columns: Columns;
}

/** One per request. */
export interface GraphQLContext {
  services: Services;
  /** Null for an anonymous request. */
  viewer: Viewer | null;
  /** Set by a sign-in within this request: that user's own profile may be shown in the answer. */
  signedInUserId?: string;
  /** A subscription's answers, once it runs. */
  answers?: Stream<ExecutionResult>;
  users: DataLoader<string, User | null>;
  executions: DataLoader<string, ExecutionRow | null>;
  resultPages: DataLoader<ResultPageKey, Page<ResultRow>>;
  /** Live sessions of a user. */
  sessions: DataLoader<string, SessionRow[]>;
  /** API keys of a user. */
  apiKeys: DataLoader<string, ApiKeyRow[]>;
  /** Whether a user has a second factor. */
  secondFactors: DataLoader<string, boolean>;
}

/** The viewer, for fields whose scope has already asked for one. @throws UNAUTHENTICATED */
export function viewerOf(context: GraphQLContext): Viewer {
  if (context.viewer === null) throw new AppError('UNAUTHENTICATED');
  return context.viewer;
}

/** Nothing is kept: a later change in the same request must be seen, and so must events of a stream. */
const batchOnly = { cache: false };

/** Loaders are made when they are first used: most requests need one or none. */
export function createGraphQLContext(services: Services, viewer: Viewer | null): GraphQLContext {
  const made: Partial<GraphQLContext> = {};
  const context: GraphQLContext = {
    services,
    viewer,
    get users() {
      made.users ??= new DataLoader((ids) => services.users.byIds(ids), batchOnly);
      return made.users;
    },
    get executions() {
      made.executions ??= new DataLoader(
        (ids) => services.executions.byIds(viewerOf(context), ids),
        batchOnly,
      );
      return made.executions;
    },
    get resultPages() {
      made.resultPages ??= new DataLoader((keys) => loadResultPages(context, keys), batchOnly);
      return made.resultPages;
    },
    get sessions() {
      made.sessions ??= new DataLoader((ids) => services.sessions.liveOfEach(ids), batchOnly);
      return made.sessions;
    },
    get apiKeys() {
      made.apiKeys ??= new DataLoader((ids) => services.apiKeys.listOfEach(ids), batchOnly);
      return made.apiKeys;
    },
    get secondFactors() {
      made.secondFactors ??= new DataLoader((ids) => services.secondFactors.ofEach(ids), batchOnly);
      return made.secondFactors;
    },
  };
  return context;
}

/** One statement per distinct set of arguments, however many executions ask with it. */
async function loadResultPages(
  context: GraphQLContext,
  keys: readonly ResultPageKey[],
): Promise<Page<ResultRow>[]> {
  const groups = new Map<string, Omit<ResultPageKey, 'execution'> & { at: number[] }>();
  keys.forEach(({ filter, args, columns }, index) => {
    const name = JSON.stringify([filter, args, columns]);
    const group = groups.get(name) ?? { filter, args, columns, at: [] };
    group.at.push(index);
    groups.set(name, group);
  });
  const pages: Page<ResultRow>[] = [];
  await Promise.all(
    [...groups.values()].map(async ({ filter, args, columns, at }) => {
      const executions = at.map((index) => (keys[index] as ResultPageKey).execution);
      const { results } = context.services;
      const found = await results.listOfEach(viewerOf(context), executions, filter, args, columns);
      found.forEach((page, position) => {
        pages[at[position] as number] = page;
      });
    }),
  );
  return pages;
}
