// The claims by which a trust rule recognises workloads: which patterns are narrow enough, and whether a token matches. Pure.

/** A claim of a token and what it must be: exactly that, or with `*` for any text within one segment. */
export interface ClaimPattern {
  claim: string;
  pattern: string;
}

/** Claims of a verified token. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/** Segments of a claim's value: `repo:acme/shop:ref:refs/heads/main` has seven. */
const separators = /[/:]/;

/**
 * Claims that say whose workload it is, and how many segments at their beginning name the owner. A rule needs one of them:
 * at a public issuer anybody gets tokens with any other claim.
 */
const owners: Readonly<Record<string, (segments: readonly string[]) => number>> = {
  sub: (segments) => through(segments, segments[0] === 'system' && segments[1] === 'serviceaccount' ? 3 : 2),
  repository: () => 1,
  repository_owner: whole,
  repository_id: whole,
  repository_owner_id: whole,
  project_path: () => 1,
  project_id: whole,
  namespace_path: whole,
  namespace_id: whole,
};

/** Segments up to the count-th that is not empty: `spiffe://domain/name` names its domain by the second. */
function through(segments: readonly string[], count: number): number {
  const filled = [...segments.keys()].filter((index) => segments[index] !== '');
  return (filled[count - 1] ?? segments.length) + 1;
}

function whole(segments: readonly string[]): number {
  return segments.length;
}

/** Names of claims that say whose workload it is. */
export const ownerClaims = Object.keys(owners);

/**
 * Says why patterns would let in too much; undefined where they do not.
 * @returns the index of the pattern, or undefined where the whole list is at fault, and the message
 */
export function tooWide(
  patterns: readonly ClaimPattern[],
): { index: number | undefined; message: string } | undefined {
  for (const [index, { claim, pattern }] of patterns.entries()) {
    const segments = pattern.split(separators);
    if (segments.some((segment) => segment.split('*').length > 2))
      return { index, message: 'must have at most one * between separators' };
    if (segments.every((segment) => segment === '' || segment === '*'))
      return { index, message: 'is too wide: it matches any value' };
    const ownOf = Object.hasOwn(owners, claim) ? owners[claim] : undefined;
    if (ownOf === undefined) continue;
    if (segments.slice(0, ownOf(segments)).some((segment) => segment.includes('*')))
      return { index, message: 'is too wide: the part that names the owner must not contain *' };
  }
  if (patterns.some(({ claim }) => Object.hasOwn(owners, claim))) return undefined;
  return { index: undefined, message: `must name an owner by one of ${ownerClaims.join(', ')}` };
}

/** Whether all patterns match, and the rule names the token's events where outsiders can start such a workload. */
export function isMatch(patterns: readonly ClaimPattern[], claims: TokenClaims): boolean {
  return (
    patterns.every(({ claim, pattern }) => matches(pattern, claimText(claims, claim))) &&
    outsideEventsOf(claims).every((event) =>
      patterns.some(({ claim, pattern }) => claim === event.claim && event.isNamedBy(pattern)),
    )
  );
}

/** A claim as text: numbers and booleans are written out, and nothing else but text can match. */
export function claimText(claims: TokenClaims, claim: string): string | undefined {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}

/** Segment by segment: `*` stands for at least one character, and never for a separator. */
function matches(pattern: string, value: string | undefined): boolean {
  if (value === undefined) return false;
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/:]+');
  return new RegExp(`^${source}$`).test(value);
}

/** Events that people without write access can cause: by a pull request of a fork, its checks, a comment, a page of a wiki, a star. */
const outsideEvents =
  /^(?:pull_request|workflow_run$|check_|issue|discussion|gollum$|fork$|watch$|merge_request|external_pull_request)/i;

interface OutsideEvent {
  claim: string;
  /** Whether a pattern means the event. */
  isNamedBy: (pattern: string) => boolean;
}

/** The events of a workload that outsiders can start; one that is no text is nobody's to name. */
function outsideEventsOf(claims: TokenClaims): OutsideEvent[] {
  const given = ['event_name', 'pipeline_source'].filter(
    (claim) => Object.hasOwn(claims, claim) && claims[claim] !== '',
  );
  if (given.length > 0)
    return given.flatMap((claim) => {
      const event = claimText(claims, claim);
      const isInside = event !== undefined && !outsideEvents.test(event);
      return isInside ? [] : [{ claim, isNamedBy: (pattern: string) => pattern === event }];
    });
  const ofPullRequest = (subject: string) => subject.split(separators).includes('pull_request');
  return ofPullRequest(claimText(claims, 'sub') ?? '') ? [{ claim: 'sub', isNamedBy: ofPullRequest }] : [];
}
