// What header-scan looks for in responses: pure functions from headers to findings. Nothing is sent from here.
import { rules } from './header-rules.mjs';

/**
 * @typedef {{ url: string, status: number, headers: Headers }} Page
 * @typedef {import('./header-rules.mjs').Rule} Rule
 * @typedef {Rule['severity']} Severity
 */

const halfYearSeconds = 15_552_000;
const wideScriptSources = ['*', 'http:', 'https:', 'data:'];
const softwareHeaders = ['server', 'x-powered-by', 'x-aspnet-version', 'x-aspnetmvc-version', 'x-generator'];

/**
 * One finding as the API takes it.
 * @param {string} rule
 * @param {{ url: string, parameter?: string, evidence?: string, severity?: Severity }} where
 */
export function finding(rule, { url, parameter, evidence, severity }) {
  const found = /** @type {Rule} */ (rules[rule]);
  return {
    ...found,
    severity: severity ?? found.severity,
    ruleId: rule,
    location: {
      url: url.slice(0, 4000),
      method: 'GET',
      host: new URL(url).host,
      ...(parameter && { parameter }),
    },
    ...(evidence && { evidence: evidence.slice(0, 5000) }),
    tags: ['http'],
  };
}

/** @typedef {ReturnType<typeof finding>} Finding */

/** Everything about the headers of one response. @param {Page} page @returns {Finding[]} */
export function checkHeaders(page) {
  return [...checkTransport(page), ...checkPolicies(page), ...checkSoftware(page), ...checkCookies(page)];
}

/** The cookies that a response sets; those of a redirect count too. @param {Page} page @returns {Finding[]} */
export function checkCookies(page) {
  return page.headers.getSetCookie().flatMap((cookie) => checkCookie(page, cookie));
}

/** @param {Page} page */
function checkTransport({ url, headers }) {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'http:')
    return [finding('no-tls', { url, ...(isLoopback(hostname) && { severity: 'INFO' }) })];
  const evidence = headers.get('strict-transport-security');
  const parameter = 'Strict-Transport-Security';
  if (evidence === null) return [finding('hsts-missing', { url, parameter })];
  const maxAge = Number(/(?:^|[;\s])max-age\s*=\s*"?(\d+)/i.exec(evidence)?.[1] ?? 0);
  return maxAge < halfYearSeconds ? [finding('hsts-short', { url, parameter, evidence })] : [];
}

/** @param {Page} page */
function checkPolicies({ url, headers }) {
  const found = [];
  // What is no page runs no scripts and shows nothing: the same gaps weigh less there.
  const weight = /html/.test(headers.get('content-type') ?? '')
    ? {}
    : { severity: /** @type {Severity} */ ('LOW') };
  const csp = headers.get('content-security-policy');
  const policies = (csp ?? '').split(',').map(parsePolicy);
  const parameter = 'Content-Security-Policy';
  if (csp === null) found.push(finding('csp-missing', { url, parameter, ...weight }));
  // Several policies all have to agree, so one that is strict is enough.
  else if (policies.every(letsScriptsRun))
    found.push(finding('csp-weak', { url, parameter, evidence: csp, ...weight }));
  const frameOptions = headers.get('x-frame-options') ?? '';
  if (
    !policies.some((policy) => policy.has('frame-ancestors')) &&
    !/^\s*(deny|sameorigin)\b/i.test(frameOptions)
  )
    found.push(
      finding('framing-allowed', { url, parameter: 'X-Frame-Options', evidence: frameOptions, ...weight }),
    );
  if (headers.get('x-content-type-options')?.trim().toLowerCase() !== 'nosniff')
    found.push(finding('nosniff-missing', { url, parameter: 'X-Content-Type-Options' }));
  const referrer = headers.get('referrer-policy') ?? '';
  if (/^\s*$|unsafe-url|no-referrer-when-downgrade/i.test(referrer))
    found.push(finding('referrer-leaks', { url, parameter: 'Referrer-Policy', evidence: referrer }));
  return found;
}

/** @param {string} text @returns {Map<string, string[]>} directive → sources */
function parsePolicy(text) {
  /** @type {Map<string, string[]>} */
  const policy = new Map();
  for (const directive of text.split(';')) {
    const [name, ...sources] = directive.trim().toLowerCase().split(/\s+/);
    if (name && !policy.has(name)) policy.set(name, sources);
  }
  return policy;
}

/** @param {Map<string, string[]>} policy */
function letsScriptsRun(policy) {
  const sources = policy.get('script-src') ?? policy.get('default-src') ?? ['*', "'unsafe-inline'"];
  const isNonced = sources.some((source) => /^'(nonce-|sha\d{3}-|strict-dynamic)/.test(source));
  if (sources.includes("'unsafe-eval'")) return true;
  return (
    !isNonced && sources.some((source) => source === "'unsafe-inline'" || wideScriptSources.includes(source))
  );
}

/** A name with a version counts, and any header that exists only to say so. @param {Page} page */
function checkSoftware({ url, headers }) {
  return softwareHeaders.flatMap((name) => {
    const value = headers.get(name);
    if (value === null || (name === 'server' && !/\d/.test(value))) return [];
    return [finding('software-disclosed', { url, parameter: name, evidence: `${name}: ${value}` })];
  });
}

/** @param {Page} page @param {string} text a Set-Cookie header */
function checkCookie({ url }, text) {
  const [pair = '', ...attributes] = text.split(';').map((part) => part.trim());
  const parameter = pair.split('=', 1)[0] ?? '';
  const has = (/** @type {RegExp} */ pattern) => attributes.some((attribute) => pattern.test(attribute));
  const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice('expires='.length);
  const isDeleted = has(/^max-age=(0|-\d+)$/i) || (expires !== undefined && Date.parse(expires) < Date.now());
  if (parameter === '' || isDeleted) return [];
  // The value may be a secret: it stays out of the evidence.
  const where = {
    url,
    parameter,
    evidence: ['Set-Cookie: ', parameter, '=…; ', attributes.join('; ')].join(''),
  };
  return [
    ...(has(/^secure$/i) ? [] : [finding('cookie-not-secure', where)]),
    ...(has(/^httponly$/i) ? [] : [finding('cookie-not-httponly', where)]),
    ...(has(/^samesite=(lax|strict|none)$/i) ? [] : [finding('cookie-no-samesite', where)]),
  ];
}

/**
 * What a response allows other origins, given the origin that asked.
 * @param {Page} page @param {string} origin one that nobody can have allowed on purpose
 * @returns {Finding[]}
 */
export function checkCors({ url, headers }, origin) {
  const allowed = headers.get('access-control-allow-origin');
  const withCredentials = headers.get('access-control-allow-credentials') === 'true';
  const parameter = 'Access-Control-Allow-Origin';
  const evidence = `${parameter}: ${allowed}${withCredentials ? '\nAccess-Control-Allow-Credentials: true' : ''}`;
  if (allowed === '*') return [finding('cors-any-origin', { url, parameter, evidence })];
  if (allowed !== origin) return [];
  return [
    finding('cors-reflected-origin', {
      url,
      parameter,
      evidence,
      ...(withCredentials && { severity: 'HIGH' }),
    }),
  ];
}

/** Whether plain HTTP answered with something else than the way to HTTPS. @param {Page} page @returns {Finding[]} */
export function checkRedirect({ url, status, headers }) {
  const location = headers.get('location') ?? '';
  const isRedirect = status >= 300 && status < 400 && URL.canParse(location, url);
  if (isRedirect && new URL(location, url).protocol === 'https:') return [];
  return [
    finding('http-not-redirected', {
      url,
      evidence: `HTTP status ${status}${location && `\nLocation: ${location}`}`,
    }),
  ];
}

/** @param {string} hostname */
export function isLoopback(hostname) {
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
