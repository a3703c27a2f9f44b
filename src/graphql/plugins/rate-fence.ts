// Yoga plugin: a coarse fence of @envelop/rate-limiter around rare, expensive fields, per user and instance. It bounds what a
// stolen or faulty admin's token can do in a minute; the exact limits are in the services (docs/adr/0011).
import { type ConfigByField, useRateLimiter } from '@envelop/rate-limiter';
import { BREAK, type DocumentNode, type ExecutionArgs, type GraphQLError, visit } from 'graphql';
import { LRUCache } from 'lru-cache';
import { AppError } from '../../core/errors.js';
import { entryLimit } from '../../infra/entry-limit.js';
import { addressKey } from '../../infra/rate-limiting/address-key.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import type { GraphQLContext } from '../schema-kit/context.js';

const windowSeconds = 60;

/** Fields behind the fence, and how often a user may call each of them in a minute. */
export const rateFences = [
  {
    type: 'Mutation',
    fields: [
      ...['createUser', 'updateUser', 'activateUser', 'deactivateUser', 'deleteUser', 'unlockUser'],
      ...['resetPassword', 'resendInvitation', 'revokeInvitation', 'endSessions'],
      ...['createServiceAccount', 'unlinkIdentity', 'createWorkloadTrust', 'updateWorkloadTrust'],
    ],
    max: 300,
  },
  { type: 'Query', fields: ['auditEvents'], max: 600 },
] as const;

type Limiter = ReturnType<typeof useRateLimiter>;

interface RateFenceOptions {
  /** Whether nothing is limited at all. */
  isOff: boolean;
  /** Returns the error that a client gets. */
  toAnswer: (error: unknown) => GraphQLError;
  /** Is called for every refused operation. */
  onRefusal: () => void;
}

/** The fence. */
export interface RateFence {
  plugin: Limiter;
  /** Whether a document has a field behind the fence, so that Yoga must execute it. */
  covers: (document: DocumentNode) => boolean;
}

/** Creates the fence. It refuses an operation as a whole, with RATE_LIMITED, before any of its fields runs. */
export function createRateFence({ isOff, toAnswer, onRefusal }: RateFenceOptions): RateFence {
  const calls = new LRUCache<string, readonly number[]>({ ...entryLimit(20_000), ttl: windowSeconds * 1000 });
  let retryAfterSeconds = windowSeconds;
  const limiter = useRateLimiter({
    identifyFn: (context) => callerOf(context as GraphQLContext),
    configByField: configOf(),
    // Both answer at once, so that counting is atomic within the process.
    store: {
      getForIdentity: (identity) => calls.get(keyOf(identity)) ?? [],
      setForIdentity: (identity, timestamps) => void calls.set(keyOf(identity), timestamps),
    },
    onRateLimitError: ({ identifier, field }) => {
      const [oldest = Date.now()] = calls.get(`${identifier} ${field.name}`) ?? [];
      retryAfterSeconds = Math.max(1, Math.ceil((oldest + windowSeconds * 1000 - Date.now()) / 1000));
    },
    transformError: () => new AppError('RATE_LIMITED', { retryAfterSeconds }),
  });
  const covers = isOff ? () => false : createCoverage();
  const plugin: Limiter = {
    onExecute(payload) {
      const args = payload.args as ExecutionArgs;
      const { document } = args;
      if (!covers(document)) return;
      try {
        limiter.onExecute?.(payload);
      } catch (error) {
        onRefusal();
        payload.setResultAndStopExecution({ errors: [toAnswer(error)] });
      } finally {
        args.document = document; // the limiter visits a copy, which no cache knows
      }
    },
  };
  return { plugin, covers };
}

function configOf(): ConfigByField[] {
  return rateFences.map(({ type, fields, max }) => ({
    type,
    field: fields.length === 1 ? fields[0] : `{${fields.join(',')}}`,
    max,
    window: `${windowSeconds}s`,
    uncountRejected: true, // a client that goes on calling gets in again when the window has passed
  }));
}

/** The user, for all sessions and keys; or the address of an anonymous caller, whom the field itself refuses. */
function callerOf({ viewer }: GraphQLContext): string {
  return viewer?.userId ?? addressKey(currentRequest()?.ip);
}

const keyOf = (identity: { contextIdentity: string; fieldIdentity: string }) =>
  `${identity.contextIdentity} ${identity.fieldIdentity}`;

/** Remembers for each document whether it has such a field: almost none has. */
function createCoverage(): RateFence['covers'] {
  const names = new Set<string>(rateFences.flatMap(({ fields }) => fields));
  const cached = new WeakMap<DocumentNode, boolean>();
  return (document) => {
    let isCovered = cached.get(document);
    if (isCovered === undefined) {
      isCovered = false;
      visit(document, {
        Field({ name }) {
          if (!names.has(name.value)) return undefined;
          isCovered = true;
          return BREAK;
        },
      });
      cached.set(document, isCovered);
    }
    return isCovered;
  };
}
