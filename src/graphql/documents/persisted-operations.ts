// Trusted documents: an optional list of the only operations that may run, named by id or hash.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AppError } from '../../core/errors.js';

/** Names by which a client requests an operation; `documentId` as GraphQL over HTTP has it, the extension as Apollo does. */
export interface DocumentParams {
  query?: unknown;
  documentId?: unknown;
  extensions?: unknown;
}

/**
 * Reads the list: a JSON object of id → document.
 * @returns what gives the text of the operation that a request names
 * @throws Error when the file is no such list
 */
export function loadTrustedDocuments(file: string): (params: DocumentParams) => string {
  const list = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const byName = new Map<string, string>();
  for (const [id, text] of Object.entries(list)) {
    if (typeof text !== 'string') throw new Error(`${file}: ${id} must be the text of a document`);
    const hash = createHash('sha256').update(text).digest('hex');
    for (const name of [id, hash, `sha256:${hash}`]) byName.set(name, text);
  }
  const known = new Set(byName.values());
  return ({ query, documentId, extensions }) => {
    const { persistedQuery } = (extensions ?? {}) as { persistedQuery?: { sha256Hash?: unknown } | null };
    const text = byName.get(String(documentId ?? persistedQuery?.sha256Hash ?? ''));
    if (text !== undefined) return text;
    if (typeof query === 'string' && known.has(query)) return query;
    throw new AppError('FORBIDDEN', { message: 'Only the operations on the list of this server may run.' });
  };
}
