// API keys: reading them. The secret is never among what is read.
import type { ApiKey } from '../../generated/prisma/client.js';
import type { Database } from '../../infra/database.js';

export type ApiKeyService = ReturnType<typeof createApiKeyService>;

export function createApiKeyService({ db }: { db: Database }) {
  return {
    /** Keys of a user, newest first; at most 100. */
    listOf: (userId: string): Promise<ApiKey[]> =>
      db.prisma.apiKey.findMany({ where: { userId }, orderBy: { id: 'desc' }, take: 100 }),
  };
}
