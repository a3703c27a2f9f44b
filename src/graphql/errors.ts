// Any error → the GraphQL error that a client may see: code, correlation id, fields. REST's mapper is rest/problem.ts.
import {
  type ASTVisitor,
  GraphQLError,
  Kind,
  type ValidationContext,
  type ValidationRule,
  ValuesOfCorrectTypeRule,
  visit,
} from 'graphql';
import type { Logger } from 'pino';
import { type ErrorCode, errorCatalogue } from '../core/error-catalogue.js';
import { AppError, type FieldError, headersOf, validationFailed } from '../core/errors.js';
import { logFault } from '../infra/logging/faults.js';
import { logRefusal } from '../infra/logging/security-events.js';
import { toDatabaseError } from '../infra/postgres/errors.js';
import { currentRequest } from '../infra/telemetry/request-context.js';

const httpCodes: Record<number, ErrorCode> = {
  405: 'METHOD_NOT_ALLOWED',
  406: 'NOT_ACCEPTABLE',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};
/** Codes that other libraries give. */
const foreignCodes: Record<string, ErrorCode> = {
  BAD_REQUEST: 'VALIDATION_FAILED',
};
const documentCodes: readonly ErrorCode[] = [
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'PERSISTED_QUERY_NOT_FOUND',
];
/** Codes that decide the HTTP status even where the document could be executed. */
const transportCodes: readonly ErrorCode[] = ['UNAVAILABLE', 'RATE_LIMITED'];

/** Faults of a whole input object that are about one of its fields. */
const missingField = /^Field "(?:\w+\.)?(\w+)" of required type/;
const unknownField = /^Field "(\w+)" is not defined by type/;
const suggestion = / Did you mean .*\?$/s;
const variableFault =
  /^Variable "\$(\w+)" (?:got invalid value (?:.*? at "([^"]+)")?|of required type|of non-null type)/s;

/**
 * The error that a client sees; an unexpected one becomes INTERNAL and is logged once, with its stack.
 * @param isSchemaPublic whether messages may name parts of the schema that were not asked for ("Did you mean …")
 */
export function toGraphQLError(error: unknown, log: Logger, isSchemaPublic = true): GraphQLError {
  const outer = error instanceof GraphQLError ? error : undefined;
  const known = isSchemaPublic ? toAppError(error) : withoutSuggestions(toAppError(error));
  logFault(log, known, known.code === 'INTERNAL' ? rootOf(error) : known.cause);
  logRefusal(log, known, outer?.path?.filter((step) => typeof step === 'string').join('.'));
  const { status } = known;
  const isRequestError = outer?.path === undefined;
  const given = (outer?.extensions.http ?? {}) as { status?: number; headers?: Record<string, string> };
  return new GraphQLError(known.message, {
    nodes: outer?.nodes,
    source: outer?.source,
    positions: outer?.positions,
    path: outer?.path,
    extensions: {
      code: known.code,
      correlationId: currentRequest()?.correlationId,
      ...(known.fields !== undefined && { fields: known.fields }),
      ...(known.retryAfterSeconds !== undefined && { retryAfterSeconds: known.retryAfterSeconds }),
      ...((isRequestError || transportCodes.includes(known.code)) && {
        http: {
          status,
          ...given,
          headers: { ...given.headers, ...headersOf(known, currentRequest()?.hasToken) },
          spec: isDocumentFault(known),
        },
      }),
    },
  });
}

/** graphql-js and the executor propose names that are spelt alike; where the schema is closed they would give it away. */
function withoutSuggestions(error: AppError): AppError {
  if (!suggestion.test(error.message)) return error;
  const fields = error.fields?.map(({ path, message }) => ({
    path,
    message: message.replace(suggestion, ''),
  }));
  return new AppError(error.code, {
    message: error.message.replace(suggestion, ''),
    ...(fields !== undefined && { fields }),
    cause: error.cause,
  });
}

/** Codes that GraphQL over HTTP answers with 200 for clients that accept only application/json. */
function isDocumentFault({ code, fields }: AppError): boolean {
  return documentCodes.includes(code) || (code === 'VALIDATION_FAILED' && fields !== undefined);
}

function rootOf(error: unknown): unknown {
  let root = error;
  while (
    root instanceof GraphQLError &&
    root.originalError !== undefined &&
    !variableFault.test(root.message)
  ) {
    root = root.originalError;
  }
  return root;
}

function toAppError(error: unknown): AppError {
  const root = toDatabaseError(rootOf(error));
  if (root instanceof AppError) return root;
  if (!(root instanceof GraphQLError)) return new AppError('INTERNAL', { cause: root });
  const { code, http, fields } = root.extensions as {
    code?: string;
    http?: { status?: number };
    fields?: FieldError[];
  };
  const named =
    httpCodes[http?.status ?? 0] ??
    foreignCodes[code ?? ''] ??
    (code !== undefined && code in errorCatalogue ? (code as ErrorCode) : undefined);
  const message = root.message;
  if (named !== undefined) return new AppError(named, { message, ...(fields !== undefined && { fields }) });
  const variable = variableFault.exec(message);
  if (variable !== null) {
    // The library's own sentence repeats the whole value, passwords and all; its cause names the fault alone.
    const fault = root.originalError?.message ?? message;
    const path = (variable[2] ?? variable[1] ?? '').replace(/\[(\d+)\]/g, '.$1');
    const field = (missingField.exec(fault) ?? unknownField.exec(fault))?.[1];
    return validationFailed([{ path: field === undefined ? path : `${path}.${field}`, message: fault }]);
  }
  // An error without a path comes from reading the request: no operation of that name, no query at all.
  const documentCode = message.startsWith('Syntax Error')
    ? 'GRAPHQL_PARSE_FAILED'
    : 'GRAPHQL_VALIDATION_FAILED';
  return root.path === undefined
    ? new AppError(documentCode, { message })
    : new AppError('INTERNAL', { cause: root });
}

/** GraphQL's rule on literals, reporting VALIDATION_FAILED with the path of the value, as variables do. */
export const ValuesOfCorrectType: ValidationRule = (context) => {
  const reporting = Object.create(context, {
    reportError: {
      value: (error: GraphQLError) => {
        const field = missingField.exec(error.message)?.[1];
        const path = [pathOf(context, error), ...(field === undefined ? [] : [field])].join('.');
        const fields = [{ path, message: error.message }];
        context.reportError(
          new GraphQLError(error.message, {
            nodes: error.nodes,
            extensions: { code: 'VALIDATION_FAILED', fields },
          }),
        );
      },
    },
  }) as ValidationContext;
  return ValuesOfCorrectTypeRule(reporting);
};

/** Argument and field names, and list positions, on the way to the value that an error points at. */
function pathOf(context: ValidationContext, error: GraphQLError): string {
  let path = '';
  const visitor: ASTVisitor = {
    enter(node, _key, parent, _way, ancestors) {
      if (node !== error.nodes?.[0]) return;
      const chain = [...ancestors, parent, node].filter(
        (step) => step !== undefined && !Array.isArray(step),
      ) as (typeof node)[];
      path = chain
        .flatMap((step, index) => {
          if (step.kind === Kind.ARGUMENT || step.kind === Kind.OBJECT_FIELD) return [step.name.value];
          const parent = chain[index - 1];
          return parent?.kind === Kind.LIST
            ? [String((parent.values as readonly unknown[]).indexOf(step))]
            : [];
        })
        .join('.');
    },
  };
  visit(context.getDocument(), visitor);
  return path;
}
