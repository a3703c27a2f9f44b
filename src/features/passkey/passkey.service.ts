// Passkeys: the entry to enrolling, listing, naming and removing them, and to proving a user by one. Sessions are opened by
// the sign-in (auth/sign-in.service.ts).
import type { Viewer } from '../../core/permissions.js';
import { currentRequest } from '../../infra/telemetry/request-context.js';
import { beginCeremony } from './ceremonies.js';
import { confirmPasskey, enrolPasskey } from './enrolment.js';
import type { ConfirmPasskeyInput, PasskeyProof } from './passkey.input.js';
import { newestPasskeys, type PasskeyServiceOptions } from './passkey.options.js';
import { provePasskey } from './prove.js';
import { removePasskey, renamePasskey } from './removal.js';
import { requestOptions } from './webauthn.js';

/** Enrols, names, removes and proves passkeys. */
export type PasskeyService = ReturnType<typeof createPasskeyService>;

/** Creates the service. */
export function createPasskeyService(options: PasskeyServiceOptions) {
  const { db, party, now, addresses } = options;
  return {
    /**
     * Begins an enrolment: the browser then asks the user for an authenticator.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws CONFLICT when the viewer has as many as a user may
     */
    enrol: (viewer: Viewer) => enrolPasskey(options, viewer),

    /**
     * Ends an enrolment, in the session that began it. From then on a sign-in with the password needs a second factor.
     * @returns the passkey; and recovery codes, shown once, where it is the first second factor
     * @throws REAUTHENTICATION_REQUIRED
     * @throws INVALID_CREDENTIALS for an answer that is not valid
     * @throws CONFLICT for a credential that is enrolled already, and beyond the limit
     */
    confirm: (viewer: Viewer, input: ConfirmPasskeyInput) => confirmPasskey(options, viewer, input),

    /**
     * Begins a sign-in. The options are the same for everybody: they name no credentials.
     * @throws RATE_LIMITED
     */
    async startLogin() {
      await addresses.spend(currentRequest()?.ip);
      const begun = await beginCeremony(db, now(), { sessionId: null, userHandle: null });
      return { state: begun.state, options: requestOptions(party, begun.challenge) };
    },

    /**
     * Takes the answer of a passkey, once.
     * @returns the passkey and whose it is; undefined for an answer that is not valid
     */
    prove: (proof: PasskeyProof) => provePasskey(options, proof),

    /** The viewer's own, newest first. */
    list: ({ userId }: Viewer) => db.prisma.passkey.findMany({ where: { userId }, ...newestPasskeys }),

    /** Gives one of the viewer's own a new name. @throws NOT_FOUND */
    rename: (viewer: Viewer, id: string, name: string) => renamePasskey(options, viewer, id, name),

    /**
     * Removes one of the viewer's own; or, with user:update, anybody's.
     * @throws REAUTHENTICATION_REQUIRED
     * @throws NOT_FOUND
     * @throws CONFLICT for the viewer's only way to sign in
     */
    remove: (viewer: Viewer, id: string) => removePasskey(options, viewer, id),
  };
}
