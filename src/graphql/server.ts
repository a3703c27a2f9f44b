// The GraphQL server: Yoga with the schema, the limits on documents, errors and GraphiQL. One for all transports.
import { EnvelopArmor } from '@escape.tech/graphql-armor';
import {
  type ExecutionArgs,
  GraphQLError,
  getOperationAST,
  NoSchemaIntrospectionCustomRule,
  specifiedRules,
  ValuesOfCorrectTypeRule,
} from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Viewer } from '../core/access.js';
import type { ErrorCode } from '../core/errors.js';
import { logRefusal } from '../infra/refusal-log.js';
import { currentRequest } from '../infra/request-context.js';
import type { Infra, Services } from '../services.js';
import { createGraphQLContext, type GraphQLContext } from './context.js';
import { toGraphQLError, ValuesOfCorrectType } from './errors.js';
import { graphiqlOptions, renderPage } from './graphiql.js';
import { buildSchema } from './schema.js';
import { subscribeShared } from './subscribe.js';

/** Limits on documents; the same on every transport. */
export const documentLimits = { depth: 12, aliases: 30, directives: 50, tokens: 2000, cost: 20_000 } as const;
const maxBodyBytes = 10_000_000;

export type GraphQLServer = ReturnType<typeof createGraphQLServer>;

export function createGraphQLServer(services: Services, { config, log }: Pick<Infra, 'config' | 'log'>) {
  const maskError = (error: unknown) => toGraphQLError(error, log);
  const armor = new EnvelopArmor({
    maxDepth: { n: documentLimits.depth, ignoreIntrospection: true },
    maxAliases: { n: documentLimits.aliases, allowList: [] },
    maxDirectives: { n: documentLimits.directives },
    maxTokens: { n: documentLimits.tokens },
    costLimit: { enabled: false },
    blockFieldSuggestion: { enabled: !config.isIntrospectionEnabled },
  });

  return createYoga<object, GraphQLContext>({
    schema: buildSchema(),
    graphqlEndpoint: '/(graphql|api/v1/graphql)',
    landingPage: false,
    logging: false,
    batching: false,
    multipart: false,
    cors: false,
    maxRequestBodySize: maxBodyBytes,
    graphiql: config.isGraphiqlEnabled && graphiqlOptions,
    renderGraphiQL: renderPage,
    maskedErrors: { maskError },
    context: async (initial) => {
      // A WebSocket has its viewer already; a request says who sends it.
      const viewer =
        'viewer' in initial
          ? (initial.viewer as Viewer | null)
          : await services.auth.authenticate(initial.request.headers.get('authorization') ?? undefined);
      const store = currentRequest();
      if (store !== undefined && viewer !== null) {
        store.userId = viewer.userId;
        if (viewer.sessionId !== undefined) store.sessionId = viewer.sessionId;
      }
      return createGraphQLContext(services, viewer);
    },
    plugins: [
      ...armor.protect().plugins,
      checkDocuments(config.isIntrospectionEnabled),
      nameOperations,
      addCorrelationIds(log),
      shareAnswers,
    ],
  });
}

/** Literals of the wrong type are VALIDATION_FAILED; introspection may be off; the stack may be too short. */
function checkDocuments(isIntrospectionEnabled: boolean): Plugin {
  const rules = specifiedRules.map((rule) => (rule === ValuesOfCorrectTypeRule ? ValuesOfCorrectType : rule));
  const closed = isIntrospectionEnabled ? [] : [NoSchemaIntrospectionCustomRule];
  return {
    onParse({ parseFn, setParseFn }) {
      setParseFn((source, options) => refuseBottomless(() => parseFn(source, options)));
    },
    onValidate({ validateFn, setValidationFn }) {
      setValidationFn((schema, document, given, ...rest) => {
        const added = (given ?? []).filter((rule: (typeof rules)[number]) => !specifiedRules.includes(rule));
        const all = [...rules, ...closed, ...added];
        return refuseBottomless(() => validateFn(schema, document, all, ...rest));
      });
    },
  };
}

/** A document so deep that walking it overflows the stack is the client's fault. */
function refuseBottomless<Result>(walk: () => Result): Result {
  try {
    return walk();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new GraphQLError('The document is nested too deeply.', {
      extensions: { code: 'GRAPHQL_PARSE_FAILED' },
    });
  }
}

/** Subscriptions are executed once for all who would get the same answer. */
const shareAnswers: Plugin = {
  onSubscribe({ setSubscribeFn }) {
    setSubscribeFn(subscribeShared);
  },
};

/** Faults of documents are cached, so they get their correlation id on the way out. */
const addCorrelationIds = (log: Logger): Plugin => ({
  onExecutionResult({ result, setResult }) {
    if (result === undefined || Array.isArray(result) || !('errors' in result) || result.errors === undefined)
      return;
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
    setResult({ ...result, errors });
  },
});

/** Puts the operation's name on the request, for its log line. */
const nameOperations: Plugin = {
  onExecute: ({ args }) => nameOperation(args as ExecutionArgs),
  onSubscribe: ({ args }) => nameOperation(args as ExecutionArgs),
};

function nameOperation({ document, operationName }: ExecutionArgs): void {
  const store = currentRequest();
  const operation = getOperationAST(document, operationName);
  if (store !== undefined && operation != null) {
    store.operation = `${operation.operation} ${operation.name?.value ?? 'anonymous'}`;
  }
}
