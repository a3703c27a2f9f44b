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
import { relativeLink } from '../../http/relative-link.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';

/**
 * Options that mark a field as deprecated: `t.field({ ...deprecated({ … }), … })`.
 * @throws Error for dates that break the promises of docs/versioning.md
 */
export function deprecated(deprecation: Deprecation) {
  deprecationHeaders([deprecation]);
  return { deprecationReason: deprecationNote(deprecation), extensions: { deprecation } };
}

/** Per document: the deprecations that it uses. */
const cached = new WeakMap<DocumentNode, readonly Deprecation[]>();

/** The deprecations of a valid document; found once for each document. */
function deprecationsOf(schema: GraphQLSchema, document: DocumentNode): readonly Deprecation[] {
  let used = cached.get(document);
  if (used === undefined) {
    used = deprecationsIn(schema, document);
    cached.set(document, used);
  }
  return used;
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

/** Sets the headers on the response to the current request; their links are relative to its path. */
export function tellDeprecationsOf(schema: GraphQLSchema, document: DocumentNode): void {
  const used = deprecationsOf(schema, document);
  if (used.length === 0) return;
  const response = currentRequest()?.response;
  if (response === undefined || response.headersSent) return;
  const path = (response.req.url ?? '').split('?', 1)[0] ?? '';
  const linked = used.map((one) => ({ ...one, link: relativeLink(path, one.link) }));
  for (const [name, value] of Object.entries(deprecationHeaders(linked))) response.setHeader(name, value);
}
