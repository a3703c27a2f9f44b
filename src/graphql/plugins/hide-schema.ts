// Where the schema is not told, its names are not to be guessed either: who is not signed in gets one answer, whether what
// was asked for exists or not.
import type { DocumentNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';

interface Asked {
  /** Absent when it could not be read. */
  document?: DocumentNode;
  params?: { operationName?: string | null };
}

interface StrangersOptions {
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  asksOnlyPublic: (document: DocumentNode, operationName: string | null | undefined) => boolean;
  toAnswer: (error: unknown) => Error;
}

/**
 * Replaces the errors of documents that ask for more than what is public, valid or not.
 * @param toAnswer what a client is told of an error
 */
export function hideFromStrangers({ authenticate, asksOnlyPublic, toAnswer }: StrangersOptions): Plugin {
  return {
    async onExecutionResult({ result, setResult, request, context }) {
      if (result === undefined || Array.isArray(result) || !('errors' in result) || !result.errors?.length)
        return;
      const { document, params } = context as Asked;
      if (document === undefined || asksOnlyPublic(document, params?.operationName)) return;
      const refusal = await refusalOf(request.headers.get('authorization') ?? undefined);
      if (refusal !== undefined) setResult({ errors: [toAnswer(refusal)] } as never);
    },
  };

  /** Why somebody is a stranger; undefined for who is none, and where nobody can tell. */
  async function refusalOf(authorization: string | undefined): Promise<AppError | undefined> {
    try {
      return (await authenticate(authorization)) === null ? new AppError('UNAUTHENTICATED') : undefined;
    } catch (error) {
      return error instanceof AppError && error.status === 401 ? error : undefined;
    }
  }
}
