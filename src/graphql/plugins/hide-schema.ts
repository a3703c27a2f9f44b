// With introspection disabled, unauthenticated callers get the same error for existing and unknown fields, so that field
// names cannot be enumerated.
import type { DocumentNode, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { AppError } from '../../core/errors.js';
import type { Viewer } from '../../core/permissions.js';

interface Asked {
  /** Absent when it could not be read. */
  document?: DocumentNode;
  params?: { operationName?: string | null };
}

interface HideSchemaOptions {
  authenticate: (authorization: string | undefined) => Promise<Viewer | null>;
  asksOnlyPublic: (document: DocumentNode, operationName: string | null | undefined) => boolean;
  toAnswer: (error: unknown) => GraphQLError;
}

/**
 * Replaces the errors of documents that ask for more than public fields, valid or not.
 * @param toAnswer maps an error to the one that the client gets
 */
export function hideSchema({ authenticate, asksOnlyPublic, toAnswer }: HideSchemaOptions): Plugin {
  return {
    async onExecutionResult({ result, setResult, request, context }) {
      if (result === undefined || Array.isArray(result) || !('errors' in result) || !result.errors?.length)
        return;
      const { document, params } = context as Asked;
      if (document === undefined || asksOnlyPublic(document, params?.operationName)) return;
      const refusal = await refusalOf(request.headers.get('authorization') ?? undefined);
      if (refusal !== undefined) setResult({ errors: [toAnswer(refusal)] });
    },
  };

  /** Why the caller is anonymous; undefined for an authenticated one, and where the check itself fails. */
  async function refusalOf(authorization: string | undefined): Promise<AppError | undefined> {
    try {
      return (await authenticate(authorization)) === null ? new AppError('UNAUTHENTICATED') : undefined;
    } catch (error) {
      return error instanceof AppError && error.status === 401 ? error : undefined;
    }
  }
}
