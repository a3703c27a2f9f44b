// The GraphQL server: Yoga with the schema, the limits on documents and the error mask. One for all transports.
import type { GraphQLError, GraphQLSchema } from 'graphql';
import { createYoga, useExecutionCancellation } from 'graphql-yoga';
import type { Infra } from '../../infra/infra.js';
import { createAutomaticQueries } from '../documents/automatic-queries.js';
import { createDocuments } from '../documents/document-cache.js';
import type { DocumentParams } from '../documents/persisted-operations.js';
import { asksOnlyPublic } from '../documents/public-operations.js';
import { largeBytes } from '../documents/response-text.js';
import { toGraphQLError } from '../errors.js';
import { createExecutor } from '../execution/executor.js';
import { persistAutomatically } from '../plugins/automatic-queries.js';
import { checkParams } from '../plugins/check-params.js';
import { correlationIds, withCorrelationIds } from '../plugins/correlation-ids.js';
import { tellDeprecations, tellDeprecationsOf } from '../plugins/deprecation.js';
import { executeBy, limitResponse } from '../plugins/execute-plans.js';
import { hideSchema } from '../plugins/hide-schema.js';
import { explainNotAcceptable } from '../plugins/not-acceptable.js';
import { beginOperation, measureOperations } from '../plugins/operation-telemetry.js';
import { createRateFence } from '../plugins/rate-fence.js';
import { shareAnswers, streamAnswers } from '../plugins/stream-answers.js';
import { onlyTrusted } from '../plugins/trusted-only.js';
import type { GraphQLContext } from '../schema-kit/context.js';
import type { CreateContext } from '../subscriptions/shared-execution.js';
import { createFastPath, type FastPath } from './fast-path.js';
import { type Authenticate, createViewerOf, keepDocument, notingViewer } from './request-viewer.js';

export type GraphQLServer = ReturnType<typeof createGraphQLServer>['yoga'];

/** Dependencies of the GraphQL server. */
export interface GraphQLServerOptions {
  schema: GraphQLSchema;
  createContext: CreateContext;
  authenticate: Authenticate;
  /** Returns the text of a listed document; absent when any document may run. */
  trusted: ((params: DocumentParams) => string) | undefined;
  /** Whether plans are run; otherwise graphql-js executes everything, for tests that compare. */
  hasPlans: boolean;
  infra: Pick<Infra, 'config' | 'log' | 'metrics' | 'tracing'>;
}

/** Creates Yoga and the fast path ahead of it, which share the schema, the cached documents and the error mask. */
export function createGraphQLServer(options: GraphQLServerOptions) {
  const { schema, authenticate, infra } = options;
  const { config, log, metrics } = infra;
  const maskError = (error: unknown) => toGraphQLError(error, log, config.isIntrospectionEnabled);
  const contextFor = notingViewer(options.createContext);
  const shared = {
    executor: createExecutor(schema),
    automaticQueries: createAutomaticQueries(),
    documents: createDocuments(config.isIntrospectionEnabled, maskError),
    fence: createRateFence({
      isOff: config.rateLimitPerMinute === 0,
      toAnswer: maskError,
      onRefusal: metrics.refusalsOf('fence'),
    }),
    contextFor,
    maskError,
  };
  const viewerOf = createViewerOf(authenticate);
  const yoga = createYoga<object, GraphQLContext>({
    schema,
    graphqlEndpoint: '/(graphql|api/v1/graphql)',
    landingPage: false,
    logging: false,
    batching: false,
    multipart: false,
    cors: false,
    maxRequestBodySize: false, // the body is read, within its limit, before it comes here
    parserAndValidationCache: false, // documents.plugin has its own
    graphiql: false, // graphiql/page.ts serves the page
    maskedErrors: { maskError },
    context: async (initial) => contextFor(await viewerOf(initial)),
    extraParamNames: ['documentId'],
    plugins: pluginsOf(options, shared),
  });
  return { yoga, fastPath: fastPathOf(options, shared) };
}

interface Shared {
  executor: ReturnType<typeof createExecutor>;
  automaticQueries: ReturnType<typeof createAutomaticQueries>;
  documents: ReturnType<typeof createDocuments>;
  fence: ReturnType<typeof createRateFence>;
  contextFor: CreateContext;
  maskError: (error: unknown) => GraphQLError;
}

/** The plugins in the order in which they handle a request: its parameters, its document, its execution, its response. */
function pluginsOf(
  { createContext, authenticate, trusted, hasPlans, infra }: GraphQLServerOptions,
  { executor, automaticQueries, documents, fence, maskError }: Shared,
) {
  const { config, log } = infra;
  const schemaHiding = hideSchema({ authenticate, asksOnlyPublic, toAnswer: maskError });
  return [
    checkParams,
    trusted === undefined ? persistAutomatically(automaticQueries) : onlyTrusted(trusted),
    documents.plugin,
    fence.plugin,
    useExecutionCancellation(),
    keepDocument,
    measureOperations(infra, trusted !== undefined),
    tellDeprecations,
    correlationIds(log),
    ...(config.isIntrospectionEnabled ? [] : [schemaHiding]),
    ...(hasPlans ? [executeBy(executor)] : []),
    limitResponse(documents.mayExceed, config.responseMaxBytes),
    shareAnswers(createContext, executor.execute),
    streamAnswers(log, config.isIntrospectionEnabled, config.heartbeatSeconds * 1000),
    explainNotAcceptable(log),
  ];
}

/** The fast path, which does for a plain request what the plugins do in Yoga. */
function fastPathOf({ schema, trusted, infra }: GraphQLServerOptions, shared: Shared): FastPath {
  const { executor, automaticQueries, documents, fence, contextFor, maskError } = shared;
  const { config, log } = infra;
  return createFastPath({
    executor,
    textOf: trusted,
    persistedText: automaticQueries.find,
    documentOf: (text) => {
      const document = documents.known(text);
      return document !== undefined && fence.covers(document) ? undefined : document; // Yoga has the fence
    },
    contextFor,
    maskError,
    isTooLarge: (document, variableValues, operationName) =>
      documents.faultOf({ schema, document, variableValues, operationName }) !== undefined,
    mayBeLarge: (document) => documents.mayExceed(document, Math.min(largeBytes, config.responseMaxBytes)),
    maxBytes: config.responseMaxBytes,
    isPublic: asksOnlyPublic,
    beginOperation: (args) => {
      tellDeprecationsOf(schema, args.document);
      return beginOperation(args, infra, trusted !== undefined);
    },
    withCorrelationIds: (result) => withCorrelationIds(result, log),
  });
}
