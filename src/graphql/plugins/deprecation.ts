// Deprecated fields: how they are marked, and the headers of answers to documents that use one.
import {
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLSchema,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type Deprecation, deprecationHeaders, deprecationNote } from '../../core/deprecation.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';

type Headers = Readonly<Record<string, string>>;

/**
 * Options that mark a field as deprecated: `t.field({ ...deprecated({ … }), … })`.
 * @throws Error for dates that break the promises of docs/versioning.md
 */
export function deprecated(deprecation: Deprecation) {
  deprecationHeaders([deprecation]);
  return { deprecationReason: deprecationNote(deprecation), extensions: { deprecation } };
}

/** Per document: the headers, or null when it uses nothing that is deprecated. */
const known = new WeakMap<DocumentNode, Headers | null>();

/** Headers for a document that was found valid; worked out once for each. */
function headersOfDocument(schema: GraphQLSchema, document: DocumentNode): Headers | null {
  let headers = known.get(document);
  if (headers === undefined) {
    const used = deprecationsIn(schema, document);
    headers = used.length === 0 ? null : deprecationHeaders(used);
    known.set(document, headers);
  }
  return headers;
}

function deprecationsIn(schema: GraphQLSchema, document: DocumentNode): Deprecation[] {
  const used = new Set<Deprecation>();
  const info = new TypeInfo(schema);
  const Field = () => {
    const { deprecation } = (info.getFieldDef()?.extensions ?? {}) as { deprecation?: Deprecation };
    if (deprecation !== undefined) used.add(deprecation);
  };
  visit(document, visitWithTypeInfo(info, { Field }));
  return [...used];
}

/** Puts the headers on answers over HTTP; a WebSocket has no place for them. */
export const tellDeprecations: Plugin = {
  onExecute: ({ args }) => tell(args as ExecutionArgs),
  onSubscribe: ({ args }) => tell(args as ExecutionArgs),
};

const tell = ({ schema, document }: ExecutionArgs) => tellDeprecationsOf(schema, document);

/** Puts the headers on the answer of the current request. */
export function tellDeprecationsOf(schema: GraphQLSchema, document: DocumentNode): void {
  const headers = headersOfDocument(schema, document);
  if (headers === null) return;
  const response = currentRequest()?.response;
  if (response === undefined || response.headersSent) return;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
