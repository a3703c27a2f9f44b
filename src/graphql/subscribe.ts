// Running subscriptions: each event is executed once for all subscribers who would get the same answer.
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getNamedType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { createGraphQLContext, type GraphQLContext } from './context.js';

type Answer = ExecutionResult | Promise<ExecutionResult>;

/** Per event: answers by document, variables and rights. Events are one object for all subscribers of an instance. */
const answers = new WeakMap<object, Map<string, Answer>>();
const documentKeys = new WeakMap<DocumentNode, { id: number; isPersonal: boolean }>();
let documents = 0;

/**
 * GraphQL's subscribe with shared execution. Every event gets a context of its own, so that nothing stale is kept.
 * @returns a stream of answers, or the errors that kept it from beginning
 */
export async function subscribeShared(
  args: ExecutionArgs,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!isStream(source)) return source;
  const events = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  const key = keyOf(args);
  const stream: AsyncIterableIterator<ExecutionResult> = {
    async next() {
      const step = await events.next();
      return step.done === true
        ? { done: true, value: undefined }
        : { done: false, value: await answer(args, key, step.value) };
    },
    async return() {
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

function answer(args: ExecutionArgs, key: string, event: unknown): Answer {
  const { services, viewer } = args.contextValue as GraphQLContext;
  const run = () =>
    execute({ ...args, rootValue: event, contextValue: createGraphQLContext(services, viewer) }) as Answer;
  if (typeof event !== 'object' || event === null) return run();
  let known = answers.get(event);
  if (known === undefined) {
    known = new Map();
    answers.set(event, known);
  }
  let result = known.get(key);
  if (result === undefined) {
    result = run();
    known.set(key, result);
  }
  return result;
}

/** Same key, same answer: document, operation, variables, and the rights that its fields ask for. */
function keyOf({ schema, document, operationName, variableValues, contextValue }: ExecutionArgs): string {
  let known = documentKeys.get(document);
  if (known === undefined) {
    documents += 1;
    known = { id: documents, isPersonal: showsUsers(schema, document) };
    documentKeys.set(document, known);
  }
  const { viewer } = contextValue as GraphQLContext;
  const scopes = viewer?.scopes === undefined ? null : [...viewer.scopes].sort();
  const rights = [viewer?.role, scopes, known.isPersonal ? viewer?.userId : null];
  return JSON.stringify([known.id, operationName, variableValues, rights]);
}

/** Whether a document selects users: what is shown of them depends on who looks. */
function showsUsers(schema: GraphQLSchema, document: DocumentNode): boolean {
  const info = new TypeInfo(schema);
  let isFound = false;
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: () => {
        const type = getNamedType(info.getType());
        if (type?.name === 'User' || type?.name === 'Node') isFound = true;
      },
    }),
  );
  return isFound;
}
