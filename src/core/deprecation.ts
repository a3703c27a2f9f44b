// Deprecations and the headers that announce them; each deprecated part is marked where it is defined.

/** Shortest time that a deprecated part stays, in days. */
export const minSunsetDays = 180;

/** A promise to users of something that will go. Days are YYYY-MM-DD and begin at midnight UTC. */
export interface Deprecation {
  /** The day from which on it is deprecated. */
  since: string;
  /** The day from which on it may be gone; left out while that is open. */
  sunset?: string;
  /** The replacement: a sentence. */
  instead: string;
  /** Where to read more: a URL, or a path of this server. */
  link: string;
}

/**
 * Headers for what is deprecated: Deprecation (RFC 9745), Sunset (RFC 8594) and Link. Of several deprecations the
 * earliest dates count.
 * @throws Error for a date that is none, and a sunset sooner than {@link minSunsetDays} after the deprecation
 */
export function deprecationHeaders(all: readonly Deprecation[]): Record<string, string> {
  for (const one of all) assertKept(one);
  const since = Math.min(...all.map((one) => timeOf(one.since)));
  const sunset = Math.min(
    ...all.map((one) => (one.sunset === undefined ? Number.POSITIVE_INFINITY : timeOf(one.sunset))),
  );
  const links = new Set(all.map(({ link }) => `<${link}>; rel="deprecation"; type="text/html"`));
  return {
    Deprecation: `@${since / 1000}`,
    ...(Number.isFinite(sunset) && { Sunset: new Date(sunset).toUTCString() }),
    Link: [...links].join(', '),
  };
}

/** The sentences for readers of the docs. */
export function deprecationNote({ since, sunset, instead }: Deprecation): string {
  const end = sunset === undefined ? '' : ` It goes on ${sunset} or later.`;
  return `Deprecated since ${since}.${end} ${instead}`;
}

function assertKept({ since, sunset }: Deprecation): void {
  if (sunset === undefined) return;
  if (timeOf(sunset) - timeOf(since) < minSunsetDays * 86_400_000) {
    throw new Error(`A sunset on ${sunset} is less than ${minSunsetDays} days after ${since}.`);
  }
}

function timeOf(day: string): number {
  const time = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(time)) throw new Error(`${day} is not a day like 2026-01-31.`);
  return time;
}
