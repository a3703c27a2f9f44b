// The GraphQL server: Yoga with the schema, the limits on documents, errors and GraphiQL. One for all transports.
import type { ServerResponse } from 'node:http';
import { type DocumentNode, type ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin, useExecutionCancellation, type YogaInitialContext } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Viewer } from '../core/access.js';
import { AppError, type ErrorCode } from '../core/errors.js';
import { logRefusal } from '../infra/refusal-log.js';
import { currentRequest } from '../infra/request-context.js';
import type { Infra, Services } from '../services.js';
import { createGraphQLContext, type GraphQLContext } from './context.js';
import { createErrorMask } from './delivery.js';
import { tellDeprecations, tellDeprecationsOf } from './deprecation.js';
import { createDocuments } from './documents.js';
import { toGraphQLError } from './errors.js';
import { createEventStreams } from './event-stream.js';
import { createHeartbeat } from './heartbeat.js';
import { createLean } from './lean.js';
import { beginOperation, measureOperations } from './operation.js';
import { checkParams } from './params.js';
import { asksOnlyPublic, buildSchema } from './schema.js';
import { hideFromStrangers } from './strangers.js';
import { subscribeShared } from './subscribe.js';
import type { DocumentParams } from './trusted.js';

/** How often an event stream gets a sign of life. */
const pingEveryMs = 12_000;

export type GraphQLServer = ReturnType<typeof createGraphQLServer>['yoga'];

export function createGraphQLServer(
  services: Services,
  infra: Pick<Infra, 'config' | 'log' | 'metrics' | 'tracing'>,
  trusted?: (params: DocumentParams) => string,
) {
  const { config, log } = infra;
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

  const strangers = { authenticate: services.auth.authenticate, asksOnlyPublic };
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
      checkParams,
      ...(trusted === undefined ? [] : [onlyTrusted(trusted)]),
      documents.plugin,
      useExecutionCancellation(),
      keepDocument,
      measureOperations(infra, trusted !== undefined),
      tellDeprecations,
      {
        onExecutionResult({ result, setResult }) {
          if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result))
            setResult(endOperation(result));
        },
      },
      ...(config.isIntrospectionEnabled ? [] : [hideFromStrangers({ ...strangers, toAnswer: maskError })]),
      shareAnswers,
      streamAnswers(log, config.isIntrospectionEnabled),
    ],
  });
  const lean = createLean({
    ...{ schema, textOf: trusted, documentOf: documents.known, contextFor, maskError },
    isTooLarge: (document, variableValues) =>
      documents.faultOf({ schema, document, variableValues }) !== undefined,
    isPublic: asksOnlyPublic,
    beginOperation: (args) => {
      tellDeprecationsOf(schema, args.document);
      return beginOperation(args, infra, trusted !== undefined);
    },
    endOperation,
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

/** Subscriptions that go out as event streams are written here instead of by Yoga. */
function streamAnswers(log: Logger, isSchemaPublic: boolean): Plugin {
  const maskError = createErrorMask(log, isSchemaPublic);
  const mask = (answer: ExecutionResult) => ({ ...answer, errors: answer.errors?.map(maskError) });
  const send = createEventStreams({ mask, heartbeat: createHeartbeat(pingEveryMs) });
  return {
    onResultProcess({ resultProcessor, setResultProcessor, serverContext }) {
      const { answers, res } = serverContext as { answers?: GraphQLContext['answers']; res?: ServerResponse };
      if (answers === undefined || res === undefined) return;
      if (resultProcessor === undefined) {
        answers.close(); // the client takes no event stream: 406
        return;
      }
      const takeOver = () => {
        send(res, answers);
        return new Promise<never>(() => {}); // the answer is out of Yoga's hands
      };
      setResultProcessor(takeOver, 'text/event-stream');
    },
  };
}

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
