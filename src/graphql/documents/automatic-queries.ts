// Automatic persisted queries as Apollo's clients send them: a hash in place of a document that the server has seen before.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../core/errors.js';

/** The extension of a request, as its client sends it. */
interface PersistedQuery {
  version?: unknown;
  sha256Hash?: unknown;
}

/** Documents by their hash; each instance holds its own. */
export interface AutomaticQueries {
  /** The document that a request without one names by its hash; undefined where there is none. */
  find: (extensions: unknown) => string | undefined;
  /**
   * Finds the document of a request, and keeps one that comes with its hash.
   * @returns undefined for a request that names no hash
   * @throws PERSISTED_QUERY_NOT_FOUND for a hash without a document
   * @throws VALIDATION_FAILED for another version or a hash that is not the document's
   */
  take: (params: { query?: unknown; extensions?: unknown }) => string | undefined;
}

/** Anybody may send documents: the least recently used one makes room. */
const maxDocuments = 1000;
const maxCharacters = 5_000_000;

/** Creates an empty store. */
export function createAutomaticQueries(): AutomaticQueries {
  const texts = new LRUCache<string, string>({
    max: maxDocuments,
    maxSize: maxCharacters,
    sizeCalculation: (text) => text.length + 1,
  });
  return {
    find: (extensions) => texts.get(String(persistedQueryOf(extensions)?.sha256Hash)),
    take({ query, extensions }) {
      const persisted = persistedQueryOf(extensions);
      if (persisted === undefined) return undefined;
      const { version, sha256Hash: hash } = persisted;
      if (version !== 1 || typeof hash !== 'string')
        throw invalid('persistedQuery must have version 1 and sha256Hash.');
      if (typeof query !== 'string') {
        const text = texts.get(hash);
        if (text === undefined) throw new AppError('PERSISTED_QUERY_NOT_FOUND');
        return text;
      }
      if (createHash('sha256').update(query).digest('hex') !== hash)
        throw invalid('The hash of the persisted query is not that of the query.');
      texts.set(hash, query);
      return query;
    },
  };
}

const invalid = (message: string) => new AppError('VALIDATION_FAILED', { message });

function persistedQueryOf(extensions: unknown): PersistedQuery | undefined {
  const { persistedQuery } = (extensions ?? {}) as { persistedQuery?: unknown };
  return typeof persistedQuery === 'object' && persistedQuery !== null ? persistedQuery : undefined;
}
