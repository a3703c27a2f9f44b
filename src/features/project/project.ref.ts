// Declares the GraphQL type of projects by name, so that types can refer to each other, and the fields that do.
import { AppError } from '../../core/errors.js';
import { builder } from '../../graphql/schema-kit/builder.js';
import type { GraphQLContext } from '../../graphql/schema-kit/context.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import type { ProjectRow } from './project.rows.js';

/** The type; project.schema.ts implements it. */
export const ProjectType = builder.objectRef<ProjectRow>('Project');

const access = { type: ProjectType, authScopes: { can: 'project:read' } } as const;
type Context = Pick<GraphQLContext, 'loaders'>;

/** The field `project` of rows that belong to one. @throws NOT_FOUND when it has just become invisible or been deleted */
export function projectField(description: string) {
  return {
    ...access,
    description,
    extensions: { columns: ['projectId'] } satisfies ReadsColumns,
    resolve: async ({ projectId }: { projectId: string }, _args: object, { loaders }: Context) => {
      const project = await loaders.projects.load(projectId);
      if (project === null) throw new AppError('NOT_FOUND');
      return project;
    },
  };
}

/** The field `project` of rows that may be bound to one. */
export function projectOrNull(description: string) {
  return {
    ...access,
    nullable: true as const,
    description,
    resolve: ({ projectId }: { projectId: string | null }, _args: object, { loaders }: Context) =>
      projectId === null ? null : loaders.projects.load(projectId),
  };
}
