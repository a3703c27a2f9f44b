// Declares the GraphQL type of projects by name, so that types can refer to each other.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { ProjectRow } from './project.rows.js';

/** The type; project.schema.ts implements it. */
export const ProjectType = builder.objectRef<ProjectRow>('Project');
