// Yoga plugin: runs the listed document in place of the one that was sent.
import type { Plugin } from 'graphql-yoga';
import type { DocumentParams } from '../documents/persisted-operations.js';

/** @param textOf returns the listed document's text, and throws for a request that names none */
export function onlyTrusted(textOf: (params: DocumentParams) => string): Plugin {
  return {
    onParams({ params, setParams }) {
      const { documentId: _named, ...rest } = params as DocumentParams;
      setParams({ ...(rest as typeof params), query: textOf(params) });
    },
  };
}
