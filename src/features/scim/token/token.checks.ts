// Checks SCIM tokens: which directory calls, cached for a second, and when a token was last used. They open nothing but SCIM.
import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../../core/errors.js';
import { createCache } from '../../../infra/cache.js';
import type { Database } from '../../../infra/postgres/database.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { AddressBudget } from '../../../infra/rate-limiting/address-limiter.js';
import type { Events } from '../../../infra/redis/message-bus.js';
import type { Metrics } from '../../../infra/telemetry/metrics.js';
import { currentRequest } from '../../../infra/telemetry/request-context.js';
import { createUseNotes } from '../../../infra/use-notes.js';

/** A directory that calls. */
export interface ScimCaller {
  /** Id of the token. */
  id: string;
  /** Name of the token. */
  name: string;
  provider: string;
  mayAdopt: boolean;
}

/** Dependencies of checking tokens. */
export interface ScimTokenCheckOptions {
  db: Database;
  events: Events;
  metrics: Metrics | undefined;
  /** Tokens that are not valid, by address. */
  guesses: AddressBudget;
  /** Milliseconds since 1970. */
  now: () => number;
}

interface LiveToken extends ScimCaller {
  secretHash: Buffer;
  expiresAt: string | null;
}

/** How long an instance trusts a cached token that nobody has announced as ended. */
const trustedMs = 1000;
const pattern =
  /^Bearer +(sts_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43})$/i;

/** Creates the check. */
export function createScimTokenCheck({ db, events, metrics, guesses, now }: ScimTokenCheckOptions) {
  const live = createCache<LiveToken | undefined>({
    name: 'scim_token',
    max: 1000,
    ttlMs: trustedMs,
    metrics,
  });
  events.subscribe('scim_token.ended', ({ scimTokenId }) => live.forget(scimTokenId));

  const noteUse = createUseNotes(
    { db, now },
    1000,
    (id, at) => sql`UPDATE scim_tokens SET last_used_at = ${at} WHERE id = ${id}`,
  );
  const isOf = (token: LiveToken | undefined, text: string): token is LiveToken =>
    token !== undefined && timingSafeEqual(token.secretHash, createHash('sha256').update(text).digest());

  /**
   * The directory that a header Authorization belongs to.
   * @throws UNAUTHENTICATED for unknown, wrong and revoked tokens alike
   * @throws TOKEN_EXPIRED
   * @throws RATE_LIMITED after too many tokens that are not valid
   */
  return async (authorization: string | undefined): Promise<ScimCaller> => {
    const [, text = '', ...parts] = pattern.exec(authorization ?? '') ?? [];
    const id = parts.join('-').toLowerCase();
    const known = live.peek(id);
    let token = known;
    if (!isOf(known, text)) {
      const refund = await guesses.spend(currentRequest()?.ip);
      token = text === '' ? undefined : await live(id, () => loadToken(db, id));
      if (!isOf(token, text))
        throw new AppError('UNAUTHENTICATED', {
          message: 'Send Authorization: Bearer with a valid SCIM token.',
        });
      await refund();
    }
    const { secretHash: _hash, expiresAt, ...caller } = token as LiveToken;
    if (expiresAt !== null && Date.parse(expiresAt) <= now())
      throw new AppError('TOKEN_EXPIRED', { message: 'The SCIM token has expired.' });
    noteUse(id);
    return caller;
  };
}

async function loadToken(db: Database, id: string): Promise<LiveToken | undefined> {
  const [row] = await db.read<LiveToken>(sql`
    SELECT id, name, provider, may_adopt AS "mayAdopt", secret_hash AS "secretHash", expires_at AS "expiresAt"
    FROM scim_tokens WHERE id = ${id} AND revoked_at IS NULL`);
  return row;
}
