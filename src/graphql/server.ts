// The GraphQL server: Yoga with the schema, the limits on documents, errors and GraphiQL. One for all transports.
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
} from 'graphql';
import { createYoga, type Plugin, useExecutionCancellation, type YogaInitialContext } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Viewer } from '../core/access.js';
import { AppError, type ErrorCode } from '../core/errors.js';
import { logRefusal } from '../infra/refusal-log.js';
import { currentRequest } from '../infra/request-context.js';
import type { Infra, Services } from '../services.js';
import { createGraphQLContext, type GraphQLContext } from './context.js';
import { createDocuments } from './documents.js';
import { toGraphQLError } from './errors.js';
import { createLean } from './lean.js';
import { asksOnlyPublic, buildSchema } from './schema.js';
import { subscribeShared } from './subscribe.js';
import type { DocumentParams } from './trusted.js';

export type GraphQLServer = ReturnType<typeof createGraphQLServer>['yoga'];

export function createGraphQLServer(
  services: Services,
  { config, log }: Pick<Infra, 'config' | 'log'>,
  trusted?: (params: DocumentParams) => string,
) {
  const maskError = (error: unknown) => toGraphQLError(error, log, config.isIntrospectionEnabled);

  /** A stale token keeps nobody from signing in or refreshing: clients send the header with everything. */
  async function viewerOfRequest(initial: YogaInitialContext): Promise<Viewer | null> {
    try {
      return await services.auth.authenticate(initial.request.headers.get('authorization') ?? undefined);
    } catch (error) {
      const { document } = initial as { document?: DocumentNode };
      const isStale = error instanceof AppError && error.status === 401;
      if (isStale && document !== undefined && asksOnlyPublic(document, initial.params.operationName))
        return null;
      throw error;
    }
  }

  function contextFor(viewer: Viewer | null): GraphQLContext {
    const store = currentRequest();
    if (store !== undefined && viewer !== null) {
      store.userId = viewer.userId;
      if (viewer.sessionId !== undefined) store.sessionId = viewer.sessionId;
    }
    return createGraphQLContext(services, viewer);
  }

  const schema = buildSchema();
  const documents = createDocuments(config.isIntrospectionEnabled, maskError);
  const endOperation = (result: ExecutionResult) => withCorrelationIds(result, log);
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
    graphiql: false, // app.ts sends the page
    maskedErrors: { maskError },
    // A WebSocket has its viewer already; a request says who sends it.
    context: async (initial) =>
      contextFor('viewer' in initial ? (initial.viewer as Viewer | null) : await viewerOfRequest(initial)),
    extraParamNames: ['documentId'],
    plugins: [
      ...(trusted === undefined ? [] : [onlyTrusted(trusted)]),
      documents.plugin,
      useExecutionCancellation(),
      keepDocument,
      nameOperations,
      {
        onExecutionResult({ result, setResult }) {
          if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result))
            setResult(endOperation(result));
        },
      },
      shareAnswers,
    ],
  });
  const lean = createLean({
    ...{ schema, textOf: trusted, documentOf: documents.known, contextFor, maskError },
    isTooLarge: (document, variableValues) =>
      documents.faultOf({ schema, document, variableValues }) !== undefined,
    ...{ beginOperation: nameOperation, endOperation },
  });
  return { yoga, lean };
}

/** Puts the listed document in the place of what was sent. */
function onlyTrusted(textOf: (params: DocumentParams) => string): Plugin {
  return {
    onParams({ params, setParams }) {
      const { documentId: _named, ...rest } = params as DocumentParams;
      setParams({ ...(rest as typeof params), query: textOf(params) });
    },
  };
}

/** Lets the context know what is asked. */
const keepDocument: Plugin = {
  onParse:
    () =>
    ({ result, extendContext }) => {
      if (!(result instanceof Error)) extendContext({ document: result } as never);
    },
};

/** Subscriptions are executed once for all who would get the same answer. */
const shareAnswers: Plugin = {
  onSubscribe({ setSubscribeFn }) {
    setSubscribeFn(subscribeShared);
  },
};

/** Faults of documents are cached, so they get their correlation id on the way out. */
function withCorrelationIds(result: ExecutionResult, log: Logger): ExecutionResult {
  if (result.errors === undefined) return result;
  const correlationId = currentRequest()?.correlationId;
  const errors = result.errors.map((error) => {
    if (error.extensions?.correlationId !== undefined) return error;
    // They passed no mapper either, which would have logged them.
    logRefusal(
      log,
      { code: (error.extensions?.code ?? 'GRAPHQL_VALIDATION_FAILED') as ErrorCode },
      undefined,
    );
    return new GraphQLError(error.message, {
      ...error,
      extensions: { ...error.extensions, correlationId },
    });
  });
  return { ...result, errors };
}

/** Puts the operation's name on the request, for its log line. */
const nameOperations: Plugin = {
  onExecute: ({ args }) => nameOperation(args as ExecutionArgs),
  onSubscribe: ({ args }) => nameOperation(args as ExecutionArgs),
};

function nameOperation({ document, operationName }: Pick<ExecutionArgs, 'document' | 'operationName'>): void {
  const store = currentRequest();
  const operation = getOperationAST(document, operationName);
  if (store !== undefined && operation != null) {
    store.operation = `${operation.operation} ${operation.name?.value ?? 'anonymous'}`;
  }
}
