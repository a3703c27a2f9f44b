// Queries and mutations of callers who hold a permission. Public ones and subscriptions are declared with Pothos itself.
import type {
  ArgBuilder,
  InputFieldMap,
  InputShapeFromFields,
  ObjectRef,
  SchemaTypes,
  ShapeFromTypeParam,
  TypeParam,
} from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
import { type IdType, toPublicId } from '../../core/ids.js';
import type { Permission, Viewer } from '../../core/permissions.js';
import { idOf } from '../../validation/fields.js';
import { builder } from './builder.js';
import { type GraphQLContext, type ResolverServices, viewerOf } from './context.js';
import { DeletePayload } from './payloads.js';
import { simpleArg } from './zod-inputs.js';

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : SchemaTypes;
/** Creates arguments. */
export type Arg = ArgBuilder<Types>;
type NoArgs = Record<never, never>;
type Run<Shape, Args extends InputFieldMap> = (
  services: ResolverServices,
  viewer: Viewer,
  args: InputShapeFromFields<Args>,
  info: GraphQLResolveInfo,
) => Shape | Promise<Shape>;

interface RootField<Shape, Args extends InputFieldMap> {
  description: string;
  args?: (arg: Arg) => Args;
  /** Calls a service. */
  run: Run<Shape, Args>;
}
interface Query<Shape, Args extends InputFieldMap> extends RootField<Shape, Args> {
  nullable?: boolean;
  /** Upper bound of a list that is no page. */
  entries?: number;
}

/** The resolver. */
function resolverOf<Args extends InputFieldMap>(run: Run<unknown, Args>) {
  return (
    _root: unknown,
    args: InputShapeFromFields<Args>,
    context: GraphQLContext,
    info: GraphQLResolveInfo,
    // Pothos' type asks whether a value of an unknown type is a list, hence `never`.
  ) => run(context.services, viewerOf(context), args, info) as never;
}

/** Declares a query. */
export function query<Type extends TypeParam<Types>, Args extends InputFieldMap = NoArgs>(
  name: string,
  type: Type,
  permission: Permission,
  { description, args, nullable, entries, run }: Query<ShapeFromTypeParam<Types, Type, true>, Args>,
): void {
  builder.queryField(name, (t) =>
    t.field({
      type,
      nullable: nullable ?? false,
      authScopes: { can: permission },
      description,
      args: args?.(t.arg) ?? ({} as Args),
      extensions: entries === undefined ? {} : { weight: { entries } },
      resolve: resolverOf(run),
    }),
  );
}

/**
 * Declares a mutation.
 * @example
 * mutation('createProject', ProjectPayload, 'project:manage', {
 *   description: 'Creates a project.',
 *   args: (arg) => ({ input: inputArg(arg, 'CreateProjectInput', createProjectInput) }),
 *   run: ({ projects }, viewer, { input }) => projects.create(viewer, input),
 * });
 */
export function mutation<Row, Args extends InputFieldMap = NoArgs>(
  name: string,
  payload: ObjectRef<Types, Row>,
  permission: Permission,
  { description, args, run }: RootField<NoInfer<Row>, Args>,
): void {
  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      authScopes: { can: permission },
      description,
      args: args?.(t.arg) ?? ({} as Args),
      resolve: resolverOf(run),
    }),
  );
}

interface Deletion {
  description: string;
  /** Description of the argument `id`. */
  id: string;
  run: (services: ResolverServices, viewer: Viewer, id: string) => Promise<unknown>;
}

/** Declares a mutation that deletes one object, which the argument `id` names. */
export function deletion(
  name: string,
  type: IdType,
  permission: Permission,
  { description, id: idText, run }: Deletion,
): void {
  mutation(name, DeletePayload, permission, {
    description,
    args: (arg) => ({ id: simpleArg(arg, idOf(type), idText) }),
    run: async (services, viewer, { id }) => {
      await run(services, viewer, id);
      return { deletedId: toPublicId(type, id) };
    },
  });
}
