// The GraphQL server: Yoga with the schema, the limits on documents and the error mask. One for all transports.
import type { DocumentNode, GraphQLSchema } from 'graphql';
import { createYoga, type Plugin, useExecutionCancellation, type YogaInitialContext } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';
import type { Infra } from '../../infra/infra.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { createDocuments } from '../documents/document-cache.js';
import type { DocumentParams } from '../documents/persisted-operations.js';
import { asksOnlyPublic } from '../documents/public-operations.js';
import { limitSize } from '../documents/response-size.js';
import { toGraphQLError } from '../errors.js';
import { createExecutor, type Executor } from '../execution/executor.js';
import { checkParams } from '../plugins/check-params.js';
import { correlationIds, withCorrelationIds } from '../plugins/correlation-ids.js';
import { tellDeprecations, tellDeprecationsOf } from '../plugins/deprecation.js';
import { hideSchema } from '../plugins/hide-schema.js';
import { explainNotAcceptable } from '../plugins/not-acceptable.js';
import { beginOperation, measureOperations } from '../plugins/operation-telemetry.js';
import { createRateFence } from '../plugins/rate-fence.js';
import { shareAnswers, streamAnswers } from '../plugins/stream-answers.js';
import { onlyTrusted } from '../plugins/trusted-only.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import type { CreateContext } from '../subscriptions/shared-execution.js';
import { createFastPath } from './fast-path.js';

export type GraphQLServer = ReturnType<typeof createGraphQLServer>['yoga'];

/** What the GraphQL server is made of. */
export interface GraphQLServerOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  /** Returns the text of a listed document; absent when any document may run. */
  trusted: ((params: DocumentParams) => string) | undefined;
  /** Whether plans are run; otherwise graphql-js executes everything, for tests that compare. */
  hasPlans: boolean;
  infra: Pick<Infra, 'config' | 'log' | 'metrics' | 'tracing'>;
}

/** Creates Yoga and the fast path ahead of it, which share the schema, the cached documents and the error mask. */
export function createGraphQLServer({
  schema,
  createContext,
  authenticate,
  trusted,
  hasPlans,
  infra,
}: GraphQLServerOptions) {
  const { config, log } = infra;
  const maskError = (error: unknown) => toGraphQLError(error, log, config.isIntrospectionEnabled);
  const viewerOfRequest = createViewerOfRequest(authenticate);

  const contextFor = createContextFor(createContext);
  const executor = createExecutor(schema);
  const documents = createDocuments(config.isIntrospectionEnabled, maskError);
  const fence = createRateFence({
    isOff: config.rateLimitPerMinute === 0,
    toAnswer: maskError,
    onRefusal: infra.metrics.refusalsOf('fence'),
  });
  const schemaHiding = hideSchema({ authenticate, asksOnlyPublic, toAnswer: maskError });
  const yoga = createYoga<object, GraphQLContext>({
    schema,
    graphqlEndpoint: '/(graphql|api/v1/graphql)',
    landingPage: false,
    logging: false,
    batching: false,
    multipart: false,
    cors: false,
    maxRequestBodySize: false, // the body is read, within its limit, before it comes here
    parserAndValidationCache: false, // documentPlugin has its own
    graphiql: false, // graphiql/page.ts serves the page
    maskedErrors: { maskError },
    // A WebSocket's viewer is known; an HTTP request names its own.
    context: async (initial) =>
      contextFor('viewer' in initial ? (initial.viewer as Viewer | null) : await viewerOfRequest(initial)),
    extraParamNames: ['documentId'],
    plugins: [
      checkParams,
      ...(trusted === undefined ? [] : [onlyTrusted(trusted)]),
      documents.plugin,
      fence.plugin,
      useExecutionCancellation(),
      keepDocument,
      measureOperations(infra, trusted !== undefined),
      tellDeprecations,
      limitResponse(config.responseMaxBytes),
      correlationIds(log),
      ...(config.isIntrospectionEnabled ? [] : [schemaHiding]),
      ...(hasPlans ? [executeBy(executor)] : []),
      shareAnswers(createContext, executor.execute),
      streamAnswers(log, config.isIntrospectionEnabled),
      explainNotAcceptable(log),
    ],
  });
  const fastPath = createFastPath({
    executor,
    textOf: trusted,
    documentOf: (text) => {
      const document = documents.known(text);
      return document !== undefined && fence.covers(document) ? undefined : document; // Yoga has the fence
    },
    contextFor,
    maskError,
    isTooLarge: (document, variableValues, operationName) =>
      documents.faultOf({ schema, document, variableValues, operationName }) !== undefined,
    limitSize: (document, result) =>
      documents.mayExceed(document, config.responseMaxBytes)
        ? limitSize(result, config.responseMaxBytes)
        : result,
    isPublic: asksOnlyPublic,
    beginOperation: (args) => {
      tellDeprecationsOf(schema, args.document);
      return beginOperation(args, infra, trusted !== undefined);
    },
    endOperation: (result) => withCorrelationIds(result, log),
  });
  return { yoga, fastPath };
}

/** Creates contexts, and notes in the request's own who it is from. */
function createContextFor(createContext: CreateContext): CreateContext {
  return (viewer) => {
    const store = currentRequest();
    if (store !== undefined && viewer !== null) {
      store.userId = viewer.userId;
      if (viewer.sessionId !== undefined) store.sessionId = viewer.sessionId;
    }
    return createContext(viewer);
  };
}

/** A stale token keeps nobody from signing in or refreshing: clients send the header with everything. */
function createViewerOfRequest(authenticate: GraphQLServerOptions['authenticate']) {
  return async (initial: YogaInitialContext): Promise<Viewer | null> => {
    try {
      return await authenticate(initial.request.headers.get('authorization') ?? undefined);
    } catch (error) {
      const { document } = initial as { document?: DocumentNode };
      const isStale = error instanceof AppError && error.status === 401;
      if (isStale && document !== undefined && asksOnlyPublic(document, initial.params.operationName))
        return null;
      throw error;
    }
  };
}

/** Yoga plugin: the executor that runs everything in place of graphql-js's. */
function executeBy({ execute }: Executor): Plugin {
  return { onExecute: ({ setExecuteFn }) => setExecuteFn(execute) };
}

/** Yoga plugin: bounds the size of results, streams aside, whose events are bounded by their documents. */
function limitResponse(bytes: number): Plugin {
  return {
    onExecute: () => ({
      onExecuteDone({ result, setResult }) {
        if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result))
          setResult(limitSize(result, bytes));
      },
    }),
  };
}

/** Puts the parsed document into the context. */
const keepDocument: Plugin<{ document?: DocumentNode }> = {
  onParse:
    () =>
    ({ result, extendContext }) => {
      if (!(result instanceof Error)) extendContext({ document: result });
    },
};
