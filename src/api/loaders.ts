// Loaders that batch the reads of one request: each is created on first use, as most requests need one or none.
import DataLoader from 'dataloader';
import { AppError } from '../core/errors.js';
import type { Page, PageArgs } from '../core/pagination.js';
import type { Viewer } from '../core/permissions.js';
import type { ExecutionRow } from '../features/execution/execution.service.js';
import type { FindingBranchRow, TriageEventRow } from '../features/finding/finding.details.js';
import type { FindingRow } from '../features/finding/finding.service.js';
import type { PolicyRow } from '../features/gate/gate.policies.js';
import type { ImportRow } from '../features/import/import.rows.js';
import type { MemberRow, OpenCounts, ProjectRow } from '../features/project/project.service.js';
import type { ResultFilter } from '../features/result/result.input.js';
import type { ResultRow } from '../features/result/result.service.js';
import type { User } from '../generated/prisma/client.js';
import type { Loaders, ResolverServices } from '../graphql/schema-kit/context.js';
import type { Columns } from '../infra/postgres/sql.js';

/** The page of results that a field requests of an execution. */
export interface ResultPageArgs extends PageArgs {
  filter?: ResultFilter | null | undefined;
}
interface ResultPageKey {
  execution: ExecutionRow;
  args: ResultPageArgs;
  columns: Columns;
}

interface OccurrencePageKey {
  findingId: string;
  args: PageArgs;
  columns: Columns;
}

declare module '../graphql/schema-kit/context.js' {
  /** One of each per request. */
  interface Loaders {
    readonly users: DataLoader<string, User | null>;
    readonly executions: DataLoader<string, ExecutionRow | null>;
    readonly resultPages: DataLoader<ResultPageKey, Page<ResultRow>>;
    readonly findings: DataLoader<string, FindingRow | null>;
    readonly findingBranches: DataLoader<string, FindingBranchRow[]>;
    readonly findingHistories: DataLoader<string, TriageEventRow[]>;
    /** Results of a finding. */
    readonly occurrencePages: DataLoader<OccurrencePageKey, Page<ResultRow>>;
    /** Only rows that the caller sees. */
    readonly projects: DataLoader<string, ProjectRow | null>;
    /** Members of a project. */
    readonly projectMembers: DataLoader<string, MemberRow[]>;
    /** Open findings of a project. */
    readonly projectCounts: DataLoader<string, OpenCounts>;
    /** Stored policies of gates of a project. */
    readonly gatePolicies: DataLoader<string, PolicyRow[]>;
    /** Imports of an execution. */
    readonly imports: DataLoader<string, ImportRow[]>;
    /** Whether a user has a second factor. */
    readonly secondFactors: DataLoader<string, boolean>;
    /** The provider whose directory has a user. */
    readonly directories: DataLoader<string, string | null>;
  }
}

type Made = { -readonly [Name in keyof Loaders]?: Loaders[Name] };

/** Nothing is cached: a later change in the same request must be seen, and so must events of a stream. */
const batchOnly = { cache: false };

/** Creates each loader when it is first used: most requests use none. */
class RequestLoaders implements Loaders {
  private readonly made: Made = {};
  private readonly services: ResolverServices;
  private readonly viewer: Viewer | null;

  constructor(services: ResolverServices, viewer: Viewer | null) {
    this.services = services;
    this.viewer = viewer;
  }

  get users() {
    const { made, services } = this;
    made.users ??= new DataLoader((ids) => services.users.byIds(ids), batchOnly);
    return made.users;
  }

  get executions() {
    const { made, services, viewer } = this;
    made.executions ??= new DataLoader((ids) => services.executions.byIds(signedIn(viewer), ids), batchOnly);
    return made.executions;
  }

  get resultPages() {
    const { made, services, viewer } = this;
    made.resultPages ??= new DataLoader(
      (keys) => loadResultPages(services, signedIn(viewer), keys),
      batchOnly,
    );
    return made.resultPages;
  }

  get findings() {
    const { made, services, viewer } = this;
    made.findings ??= new DataLoader((ids) => services.findings.byIds(signedIn(viewer), ids), batchOnly);
    return made.findings;
  }

  get findingBranches() {
    const { made, services } = this;
    made.findingBranches ??= new DataLoader((ids) => services.findings.branchesOfEach(ids), batchOnly);
    return made.findingBranches;
  }

  get findingHistories() {
    const { made, services } = this;
    made.findingHistories ??= new DataLoader((ids) => services.findings.historyOfEach(ids), batchOnly);
    return made.findingHistories;
  }

  get occurrencePages() {
    const { made, services, viewer } = this;
    made.occurrencePages ??= new DataLoader(
      (keys) => loadOccurrencePages(services, signedIn(viewer), keys),
      batchOnly,
    );
    return made.occurrencePages;
  }

  get projects() {
    const { made, services, viewer } = this;
    made.projects ??= new DataLoader((ids) => services.projects.byIds(signedIn(viewer), ids), batchOnly);
    return made.projects;
  }

  get projectMembers() {
    const { made, services } = this;
    made.projectMembers ??= new DataLoader((ids) => services.projects.membersOfEach(ids), batchOnly);
    return made.projectMembers;
  }

  get projectCounts() {
    const { made, services } = this;
    made.projectCounts ??= new DataLoader((ids) => services.projects.openCountsOfEach(ids), batchOnly);
    return made.projectCounts;
  }

  get gatePolicies() {
    const { made, services } = this;
    made.gatePolicies ??= new DataLoader((ids) => services.gates.policies.ofEach(ids), batchOnly);
    return made.gatePolicies;
  }

  get imports() {
    const { made, services } = this;
    made.imports ??= new DataLoader((ids) => services.imports.ofEachExecution(ids), batchOnly);
    return made.imports;
  }

  get secondFactors() {
    const { made, services } = this;
    made.secondFactors ??= new DataLoader((ids) => services.secondFactors.ofEach(ids), batchOnly);
    return made.secondFactors;
  }

  get directories() {
    const { made, services } = this;
    made.directories ??= new DataLoader((ids) => services.scim.users.providersOf(ids), batchOnly);
    return made.directories;
  }
}

/** Creates the loaders of a request. */
export function createLoaders(services: ResolverServices, viewer: Viewer | null): Loaders {
  return new RequestLoaders(services, viewer);
}

/** @throws UNAUTHENTICATED */
function signedIn(viewer: Viewer | null): Viewer {
  if (viewer === null) throw new AppError('UNAUTHENTICATED');
  return viewer;
}

/** One statement per distinct set of arguments, however many executions ask with it. */
function loadResultPages({ results }: ResolverServices, viewer: Viewer, keys: readonly ResultPageKey[]) {
  return loadPages(keys, ({ args: { filter, ...args }, columns }, group) => {
    const executions = group.map(({ execution }) => execution);
    return results.listOfEach(viewer, executions, filter ?? {}, args, columns);
  });
}

/** One statement per distinct set of arguments, however many findings ask with it. */
function loadOccurrencePages(
  { results }: ResolverServices,
  viewer: Viewer,
  keys: readonly OccurrencePageKey[],
) {
  return loadPages(keys, ({ args, columns }, group) => {
    const ids = group.map(({ findingId }) => findingId);
    return results.listOfEachFinding(viewer, ids, args, columns);
  });
}

/**
 * Loads pages of many parents, one call per distinct set of arguments.
 * @param load gets the first key of a group and the whole group, and returns a page for each key
 */
async function loadPages<Key extends { args: PageArgs; columns: Columns }>(
  keys: readonly Key[],
  load: (first: Key, group: readonly Key[]) => Promise<Page<ResultRow>[]>,
): Promise<Page<ResultRow>[]> {
  const groups = new Map<string, number[]>();
  let last: Key | undefined;
  let name = '';
  keys.forEach((key, index) => {
    // Those of one list come with the same object, one after the other.
    if (key.args !== last?.args || key.columns !== last.columns)
      name = JSON.stringify([key.args, key.columns]);
    last = key;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [index]);
    else group.push(index);
  });
  const pages: Page<ResultRow>[] = [];
  await Promise.all(
    [...groups.values()].map(async (at) => {
      const group = at.map((index) => keys[index] as Key);
      const found = await load(group[0] as Key, group);
      found.forEach((page, position) => {
        pages[at[position] as number] = page;
      });
    }),
  );
  return pages;
}
