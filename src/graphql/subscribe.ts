// Running subscriptions: each event is executed once for all subscribers who would get the same answer.
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { createGraphQLContext, type GraphQLContext } from './context.js';

type Answer = ExecutionResult | Promise<ExecutionResult>;

/** What the answer depends on, besides the event and the viewer's rights. */
interface Traits {
  id: number;
  /** Shows users: what is shown of them depends on who looks. */
  isPersonal: boolean;
  /** Variables that are used below the root field; its own arguments decide which events come, not what is shown. */
  variables: string[];
}

/** Per event: answers by what they depend on. Events are one object for all subscribers of an instance. */
const answers = new WeakMap<object, Map<string, Answer>>();
const maxAnswers = 20;
const traits = new WeakMap<DocumentNode, Traits>();
let documents = 0;

/**
 * GraphQL's subscribe with shared execution. Every event gets a context of its own, so that nothing stale is kept.
 * A stream that is cut off says why in a last answer.
 * @returns a stream of answers, or the errors that kept it from beginning
 */
export async function subscribeShared(
  args: ExecutionArgs,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!isStream(source)) return source;
  const events = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  const key = keyOf(args);
  let isOver = false;
  const stream: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      if (isOver) return { done: true, value: undefined };
      try {
        const step = await events.next();
        isOver = step.done === true;
        return isOver
          ? { done: true, value: undefined }
          : { done: false, value: await answer(args, key, step.value) };
      } catch (error) {
        isOver = true;
        return { done: false, value: { errors: [toError(error)] } };
      }
    },
    async return() {
      isOver = true;
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

function isStream(source: AsyncIterable<unknown> | ExecutionResult): source is AsyncIterable<unknown> {
  return Symbol.asyncIterator in source;
}

function toError(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

function answer(args: ExecutionArgs, key: string, event: unknown): Answer {
  const { services, viewer } = args.contextValue as GraphQLContext;
  const run = () =>
    shareText(
      execute({ ...args, rootValue: event, contextValue: createGraphQLContext(services, viewer) }) as Answer,
    );
  if (typeof event !== 'object' || event === null) return run();
  let known = answers.get(event);
  if (known === undefined) {
    known = new Map();
    answers.set(event, known);
  }
  const shared = known.get(key);
  if (shared !== undefined) return shared;
  const result = run();
  if (known.size < maxAnswers) {
    known.set(key, result);
    // What failed for a moment is tried again by those who come later.
    const forget = () => known.delete(key);
    void Promise.resolve(result).then(({ errors }) => errors !== undefined && forget(), forget);
  }
  return result;
}

/** Gives an answer the `stringify` that Yoga asks for, so that it is written as JSON once for all. */
function shareText(answer: Answer): Answer {
  if (answer instanceof Promise) return answer.then(shareText);
  let text: string | undefined;
  const stringify = () => {
    text ??= JSON.stringify(answer);
    return text;
  };
  if (answer.errors === undefined) Object.defineProperty(answer, 'stringify', { value: stringify });
  return answer;
}

/** Same key, same answer. */
function keyOf({ schema, document, operationName, variableValues, contextValue }: ExecutionArgs): string {
  let known = traits.get(document);
  if (known === undefined) {
    documents += 1;
    known = { id: documents, ...examine(schema, document, operationName) };
    traits.set(document, known);
  }
  const { viewer } = contextValue as GraphQLContext;
  const scopes = viewer?.scopes === undefined ? null : [...viewer.scopes].sort();
  const rights = [viewer?.role, scopes, known.isPersonal ? viewer?.userId : null];
  const variables = known.variables.map((name) => variableValues?.[name] ?? null);
  return JSON.stringify([known.id, operationName, variables, rights]);
}

function examine(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
): Omit<Traits, 'id'> {
  const rootFields = getOperationAST(document, operationName)?.selectionSet.selections ?? [];
  const rootArguments = new Set<unknown>(
    rootFields.flatMap((field) => ('arguments' in field ? (field.arguments ?? []) : [])),
  );
  const variables = new Set<string>();
  let isPersonal = false;
  const info = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(info, {
      VariableDefinition: () => false,
      Argument: (argument) => (rootArguments.has(argument) ? false : undefined),
      Variable: ({ name }) => {
        variables.add(name.value);
      },
      Field: () => {
        const type = getNamedType(info.getType());
        if (type?.name === 'User' || type?.name === 'Node') isPersonal = true;
      },
    }),
  );
  return { isPersonal, variables: [...variables] };
}
