// Running subscriptions: each event is executed once for all subscribers who would get the same answer.
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Viewer } from '../../core/permissions.js';
import { over, type Source, type Step, type Stream, toStream } from '../../core/pull-stream.js';
import { currentRequest, runInRequest } from '../../infra/telemetry/request-context.js';
import type { Executor } from '../execution/executor.js';
import type { GraphQLContext } from '../schema-kit/context.js';

/** Values that the answer depends on, besides the event and the viewer's rights. */
interface Traits {
  id: number;
  /** Shows users: what is shown of them depends on who looks. */
  isPersonal: boolean;
  /** Variables that are used below the root field; its own arguments decide which events come, not what is shown. */
  variables: string[];
}

/** An answer that is being made, or made. */
interface Making {
  answer: ExecutionResult | undefined;
  /** Wake the subscribers that wait for it. */
  waiting: Set<() => void>;
}

/** Per event: answers by what they depend on. Events are one object for all subscribers of an instance. */
const answers = new WeakMap<object, Map<string, Making>>();
const maxAnswers = 20;
/** Per answer: what it looks like on the wire, by the form in which it is sent. */
const encodings = new WeakMap<ExecutionResult, Map<string, Buffer>>();
const traits = new WeakMap<DocumentNode, Traits>();
let documents = 0;

/** Creates the context in which one event is executed. */
export type CreateContext = (viewer: Viewer | null) => GraphQLContext;

/**
 * GraphQL's subscribe with shared execution. Every event gets a context of its own, so that nothing stale is kept.
 * A stream that is cut off says why in a last answer. The stream is also left in the context as `answers`, for the
 * transports: what plugins wrap around it costs several promises for each answer and subscriber.
 * @returns a stream of answers, or the errors that kept it from beginning
 */
export function createSubscribe(createContext: CreateContext, execute: Executor['execute']) {
  return async (args: ExecutionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> => {
    const events = await createSourceEventStream(args);
    if (!isStream(events)) return events as ExecutionResult;
    const stream = toStream(createAnswers(args, events, createContext, execute));
    (args.contextValue as GraphQLContext).answers = stream;
    return stream;
  };
}

/**
 * Encodes an answer once for all subscribers that get it in this form.
 * @param form names how it is written
 */
export function encodeOnce(
  answer: ExecutionResult,
  form: string,
  encode: (answer: ExecutionResult) => Buffer,
): Buffer {
  const known = mapOf(encodings, answer);
  let bytes = known.get(form);
  if (bytes === undefined) {
    bytes = encode(answer);
    known.set(form, bytes);
  }
  return bytes;
}

/** The map that belongs to an object; a new one at first. */
function mapOf<Key extends object, Value>(
  maps: WeakMap<Key, Map<string, Value>>,
  key: Key,
): Map<string, Value> {
  const known = maps.get(key);
  if (known !== undefined) return known;
  const made = new Map<string, Value>();
  maps.set(key, made);
  return made;
}

/** Whether the events began; every resolver of a subscription makes them with {@link toStream}. */
function isStream(source: AsyncIterable<unknown> | ExecutionResult): source is Stream<object> {
  return Symbol.asyncIterator in source;
}

/** The answers to the events of a source. Only what is needed of the operation is kept: there may be many thousands. */
function createAnswers(
  { schema, document, operationName, variableValues, contextValue }: ExecutionArgs,
  events: Source<object>,
  createContext: CreateContext,
  execute: Executor['execute'],
): Source<ExecutionResult> {
  const { viewer } = contextValue as GraphQLContext;
  const args = { schema, document, operationName, variableValues };
  let seen = viewer?.projects;
  let key = keyOf(args, viewer);
  const request = currentRequest();
  let making: Making | undefined;
  let isOver = false;

  /** The first subscriber executes for all, within its own request and not the one that wrote the event. */
  const run = (event: object): ExecutionResult | Promise<ExecutionResult> => {
    const work = () => execute({ ...args, rootValue: event, contextValue: createContext(viewer) });
    return request === undefined ? work() : runInRequest(request, work);
  };

  function cutOff(error: unknown): Step<ExecutionResult> {
    isOver = true;
    events.close();
    return { done: false, value: { errors: [toError(error)] } };
  }

  return {
    fault: events.fault,
    take() {
      if (isOver) return over;
      try {
        if (making === undefined) {
          const step = events.take();
          if (step === undefined || step.done === true) return step;
          if (viewer?.projects !== seen) {
            seen = viewer?.projects; // kept as of now while the stream is open
            key = keyOf(args, viewer);
          }
          making = makingOf(step.value, key, run);
        }
        const reason = events.fault();
        if (reason !== undefined) return cutOff(reason);
        const { answer } = making;
        if (answer === undefined) return undefined;
        making = undefined;
        return { done: false, value: answer };
      } catch (error) {
        return cutOff(error);
      }
    },
    whenReady(wake) {
      making?.waiting.add(wake);
      events.whenReady(wake);
    },
    close() {
      isOver = true;
      events.close();
    },
  };
}

function toError(error: unknown): GraphQLError {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

function makingOf(
  event: object,
  key: string,
  run: (event: object) => ExecutionResult | Promise<ExecutionResult>,
): Making {
  const known = mapOf(answers, event);
  const shared = known.get(key);
  if (shared !== undefined) return shared;
  const making: Making = { answer: undefined, waiting: new Set() };
  const isShared = known.size < maxAnswers;
  if (isShared) known.set(key, making);
  const done = (answer: ExecutionResult) => {
    making.answer = answer;
    // Later subscribers try again what failed for a moment.
    if (answer.errors !== undefined && isShared) known.delete(key);
    const woken = [...making.waiting];
    making.waiting.clear();
    for (const wake of woken) wake();
  };
  const fail = (error: unknown) => done({ errors: [toError(error)] });
  try {
    const result = run(event);
    if (result instanceof Promise) result.then(done, fail);
    else done(result);
  } catch (error) {
    fail(error);
  }
  return making;
}

/** Same key, same answer. */
function keyOf(
  { schema, document, operationName, variableValues }: ExecutionArgs,
  viewer: GraphQLContext['viewer'],
): string {
  let known = traits.get(document);
  if (known === undefined) {
    documents += 1;
    known = { id: documents, ...examine(schema, document, operationName) };
    traits.set(document, known);
  }
  const scopes = viewer?.scopes === undefined ? null : [...viewer.scopes].sort();
  const rights = [viewer?.role, viewer?.projects?.key, scopes, known.isPersonal ? viewer?.userId : null];
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
