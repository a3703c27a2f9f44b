// Yoga plugin: runs the document that a request names by its hash.
import type { Plugin } from 'graphql-yoga';
import type { AutomaticQueries } from '../documents/automatic-queries.js';

/** @param queries the documents, which the fast path reads too */
export function persistAutomatically({ take }: AutomaticQueries): Plugin {
  return {
    onParams({ params, setParams }) {
      const query = take(params);
      if (query !== undefined) setParams({ ...params, query });
    },
  };
}
