// Checks a request's parameters before they are used: JSON in the address, the operation's name.
// document-cache.ts checks the document.
import type { Plugin } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import { findsDuplicateKey } from '../../http/duplicate-keys.js';

/** @throws VALIDATION_FAILED for variables or extensions in the address that are no JSON, and for a name that is no text */
export const checkParams: Plugin = {
  onRequestParse({ request, url }) {
    if (request.method !== 'GET') return;
    for (const name of ['variables', 'extensions']) {
      const text = url.searchParams.get(name);
      if (!text) continue;
      if (!isJson(text)) throw refusal(`${name} is not JSON.`);
      if (findsDuplicateKey(text)) throw refusal(`A key of ${name} is there twice.`);
    }
  },
  onParams({ params }) {
    const name: unknown = params.operationName;
    if (name != null && typeof name !== 'string') throw refusal('operationName must be text.');
  },
};

/** No fault of the document: 400 for every client. */
const refusal = (message: string) => new AppError('VALIDATION_FAILED', { message });

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
