// Keeps the plans of operations: one for each operation and each outcome of its @skip and @include.
import {
  type DocumentNode,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { variablesOf } from './coerce-variables.js';
import { conditionVariablesOf } from './collect-fields.js';
import { type Plan, planOperation } from './plan.js';

type Values = Record<string, unknown>;

/** A plan, and the variables that it runs with. */
export interface Planned {
  plan: Plan;
  /** Checked and converted. */
  variables: Values;
}

/** An operation, and what each outcome of its conditions is kept under. */
interface Entry {
  /** Variables in `@skip` and `@include`. */
  conditions: readonly string[];
  coerce: ((given: Values) => Values | undefined) | undefined;
  variants: Map<string, object>;
}

/** Fields of all plans that are kept, at a few hundred bytes each. */
const maxPlannedFields = 50_000;
/** With more, an operation has no plan: each may double the number of its plans. */
const maxConditions = 6;

/** Creates the cache. It holds at most 50,000 planned fields and forgets the plans that were used longest ago. */
export function createPlanCache(schema: GraphQLSchema) {
  const plans = new LRUCache<object, Plan>({
    maxSize: maxPlannedFields,
    sizeCalculation: ({ size }) => Math.max(size, 1), // all fields may be skipped
  });
  const entries = new WeakMap<OperationDefinitionNode, Entry>();
  const withoutPlan = new WeakSet<object>();

  function entryOf(document: DocumentNode, operation: OperationDefinitionNode): Entry {
    const cached = entries.get(operation);
    if (cached !== undefined) return cached;
    const conditions = conditionVariablesOf(document, operation);
    const coerce = conditions.length > maxConditions ? undefined : variablesOf(schema, operation);
    const entry = { conditions, coerce, variants: new Map() };
    entries.set(operation, entry);
    return entry;
  }

  function planOf(
    key: object,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    values: Values,
  ): Plan | undefined {
    if (withoutPlan.has(key)) return undefined;
    const cached = plans.get(key);
    if (cached !== undefined) return cached;
    const plan = planOperation(schema, document, operation, values);
    if (plan === undefined) withoutPlan.add(key);
    else plans.set(key, plan);
    return plan;
  }

  /** @returns undefined where graphql-js has to run it: there is no plan, or a variable is invalid */
  function planFor(document: DocumentNode, operationName: string | null, given: Values): Planned | undefined {
    const operation = getOperationAST(document, operationName);
    if (operation == null) return undefined;
    const entry = entryOf(document, operation);
    const variables = entry.coerce?.(given);
    if (variables === undefined) return undefined;
    const plan = planOf(keyOf(operation, entry, variables), document, operation, variables);
    return plan === undefined ? undefined : { plan, variables };
  }

  return { planFor };
}

function keyOf(operation: OperationDefinitionNode, { conditions, variants }: Entry, values: Values): object {
  if (conditions.length === 0) return operation;
  const outcome = conditions.map((name) => String(values[name])).join();
  const known = variants.get(outcome);
  if (known !== undefined) return known;
  const key = { outcome };
  variants.set(outcome, key);
  return key;
}
