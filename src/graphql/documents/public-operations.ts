// Which operations an anonymous caller may send.
import { type DocumentNode, getOperationAST, Kind } from 'graphql';

/** Root fields that anybody may call; all others need a permission. */
export const publicRootFields: readonly string[] = [
  'Mutation.login',
  'Mutation.startPasskeyLogin',
  'Mutation.loginWithPasskey',
  'Mutation.refreshToken',
  'Mutation.setPassword',
  'Mutation.requestPasswordReset',
];

/** Whether an operation selects public root fields only. */
export function asksOnlyPublic(document: DocumentNode, operationName: string | null | undefined): boolean {
  const operation = getOperationAST(document, operationName);
  return (
    operation?.operation === 'mutation' &&
    operation.selectionSet.selections.every(
      (selection) =>
        selection.kind === Kind.FIELD && publicRootFields.includes(`Mutation.${selection.name.value}`),
    )
  );
}
