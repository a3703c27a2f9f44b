// Takes a field of Pothos apart into its permission, the check of its arguments and its resolver, which a
// plan runs. A field that requires anything else has no rule, and keeps the resolver that Pothos made.
import type {
  GraphQLArgument,
  GraphQLField,
  GraphQLFieldResolver,
  GraphQLObjectType,
  GraphQLResolveInfo,
} from 'graphql';
import type { Permission } from '../../core/permissions.js';
import type { GraphQLContext } from '../schema-kit/context.js';

type Args = Record<string, unknown>;
type Resolve = GraphQLFieldResolver<unknown, GraphQLContext, Args>;

/** Runs in this order. */
export interface FieldRule {
  /** The permission that the viewer must hold; undefined where the field asks for nothing. */
  permission: Permission | undefined;
  /** Checks and converts arguments, one after the other. */
  argMappers: readonly ((
    args: Args,
    context: GraphQLContext,
    info: GraphQLResolveInfo,
  ) => Args | Promise<Args>)[];
  resolve: Resolve;
  /** Whether the resolver looks at its fourth argument. */
  needsInfo: boolean;
}

/** Options of types and fields that decide on access. Pothos itself runs every option other than a permission. */
const scopeOptions = ['authScopes', 'grantScopes', 'skipTypeScopes', 'skipInterfaceScopes'];
interface Extensions {
  pothosOptions?: Record<string, unknown>;
  pothosConfig?: { resolve?: Resolve };
  pothosArgMappers?: FieldRule['argMappers'];
  pothosPrismaSelect?: unknown;
}

/** @returns undefined for a field that only Pothos itself can guard */
export function ruleOf(
  parent: GraphQLObjectType,
  { name, args, extensions }: GraphQLField<unknown, unknown>,
): FieldRule | undefined {
  const { pothosOptions, pothosConfig, pothosArgMappers, pothosPrismaSelect } = extensions as Extensions;
  const resolve = pothosConfig?.resolve;
  if (pothosOptions === undefined || resolve === undefined || pothosPrismaSelect !== undefined)
    return undefined;
  // Without mappers the arguments would go unchecked, so a Pothos that keeps them elsewhere stops the start.
  if (args.some(isValidated) && !Array.isArray(pothosArgMappers))
    throw new Error(`${name}: Pothos keeps the argument mappers elsewhere than the executor reads them`);
  if (
    [parent, ...parent.getInterfaces()].some((type) =>
      hasScopes((type.extensions as Extensions).pothosOptions),
    )
  )
    return undefined;
  const { authScopes, ...others } = pothosOptions;
  if (hasScopes(others)) return undefined;
  const permission = permissionIn(authScopes);
  if (permission === null) return undefined;
  return { permission, argMappers: pothosArgMappers ?? [], resolve, needsInfo: resolve.length > 3 };
}

function isValidated({ extensions }: GraphQLArgument): boolean {
  return '@pothos/plugin-validation' in extensions;
}

function hasScopes(options: Record<string, unknown> | undefined): boolean {
  return options === undefined || scopeOptions.some((name) => options[name] !== undefined);
}

/** @returns undefined for no scopes or `{ public: true }`; null for any but `{ can: … }` */
function permissionIn(scopes: unknown): Permission | undefined | null {
  if (scopes === undefined) return undefined;
  if (typeof scopes !== 'object' || scopes === null || Object.keys(scopes).length !== 1) return null;
  const { can, public: isPublic } = scopes as { can?: Permission; public?: unknown };
  if (isPublic === true) return undefined;
  return typeof can === 'string' ? can : null;
}
