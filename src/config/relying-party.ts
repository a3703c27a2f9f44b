// Derives whose passkeys these are (the relying party of WebAuthn) from the settings: a domain, and the origins of its pages.
import { isIP } from 'node:net';

/** A relying party. */
export interface RelyingParty {
  /** The domain that passkeys belong to; browsers offer them on it and below it. */
  id: string;
  /** Origins whose pages may use them. */
  origins: readonly string[];
}

/** Settings that it is derived from. */
interface PartySettings {
  publicUrl?: string | undefined;
  corsOrigins: readonly string[];
  passkeyDomain?: string | undefined;
  passkeyOrigins?: readonly string[] | undefined;
  port: number;
}

/** Whether a page of this origin can use passkeys of a domain. */
export function isWithin(origin: string, domain: string): boolean {
  const { hostname } = new URL(origin);
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

/**
 * The relying party: that of WEBAUTHN_RP_ID and WEBAUTHN_ORIGINS; by default the host of PUBLIC_URL, with the frontends in
 * CORS_ORIGINS that are on it. Without PUBLIC_URL it is localhost at PORT.
 */
export function relyingPartyOf(settings: PartySettings): RelyingParty {
  const { publicUrl, corsOrigins, passkeyDomain, passkeyOrigins, port } = settings;
  const own = new URL(publicUrl ?? `http://localhost:${port}`);
  const id = passkeyDomain ?? (isIP(own.hostname.replace(/^\[|\]$/g, '')) === 0 ? own.hostname : 'localhost');
  const origins = passkeyOrigins ?? [own.origin, ...corsOrigins].filter((origin) => isWithin(origin, id));
  return { id, origins };
}
