// What header-scan looks for in responses: pure functions from headers to findings. Nothing is sent from here.

/**
 * @typedef {{ url: string, status: number, headers: Headers }} Page
 * @typedef {'INFO' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL'} Severity
 * @typedef {{ title: string, severity: Severity, cweIds: number[], description: string, remediation: string,
 *   references: string[] }} Rule
 */

const owasp = 'https://cheatsheetseries.owasp.org/cheatsheets';
const mdn = 'https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers';

/** Every rule: what it is called, how bad it is, and what to do about it. @type {Record<string, Rule>} */
export const rules = {
  'no-tls': {
    title: 'Page is served without TLS',
    severity: 'MEDIUM',
    cweIds: [319],
    description: 'Whoever is on the way can read and change the page, its cookies and what is typed into it.',
    remediation: 'Serve the site over HTTPS only and redirect plain HTTP to it.',
    references: [`${owasp}/Transport_Layer_Security_Cheat_Sheet.html`],
  },
  'http-not-redirected': {
    title: 'Plain HTTP is not redirected to HTTPS',
    severity: 'MEDIUM',
    cweIds: [319],
    description: 'The same host answers over plain HTTP without sending visitors to HTTPS.',
    remediation: 'Answer plain HTTP with 301 or 308 to the same address under https://.',
    references: [`${owasp}/Transport_Layer_Security_Cheat_Sheet.html`],
  },
  'hsts-missing': {
    title: 'Strict-Transport-Security is missing',
    severity: 'LOW',
    cweIds: [319],
    description: 'Browsers may be led to plain HTTP on their next visit.',
    remediation: 'Send Strict-Transport-Security: max-age=31536000; includeSubDomains over HTTPS.',
    references: [`${mdn}/Strict-Transport-Security`, 'https://www.rfc-editor.org/rfc/rfc6797'],
  },
  'hsts-short': {
    title: 'Strict-Transport-Security lasts less than half a year',
    severity: 'LOW',
    cweIds: [319],
    description: 'Visitors who come back later than that are not protected.',
    remediation: 'Raise max-age to 31536000 (one year).',
    references: [`${mdn}/Strict-Transport-Security`],
  },
  'csp-missing': {
    title: 'Content-Security-Policy is missing',
    severity: 'MEDIUM',
    cweIds: [693],
    description: 'Nothing limits which scripts run, should an attacker manage to inject one.',
    remediation:
      "Send a policy; for an API: default-src 'none'; frame-ancestors 'none'. For pages: script-src with nonces.",
    references: [`${owasp}/Content_Security_Policy_Cheat_Sheet.html`, `${mdn}/Content-Security-Policy`],
  },
  'csp-weak': {
    title: 'Content-Security-Policy lets injected scripts run',
    severity: 'MEDIUM',
    cweIds: [693],
    description: 'The policy allows script sources that an injection can use.',
    remediation: "Replace 'unsafe-inline', 'unsafe-eval' and wildcards in script-src by nonces or hashes.",
    references: [`${owasp}/Content_Security_Policy_Cheat_Sheet.html`],
  },
  'nosniff-missing': {
    title: 'X-Content-Type-Options is not nosniff',
    severity: 'LOW',
    cweIds: [693],
    description: 'Browsers may take a file for another type than the server says, a script among them.',
    remediation: 'Send X-Content-Type-Options: nosniff with every response.',
    references: [`${mdn}/X-Content-Type-Options`],
  },
  'framing-allowed': {
    title: 'Page may be framed by any site',
    severity: 'MEDIUM',
    cweIds: [1021],
    description: 'Another site can lay the page under its own and catch clicks (clickjacking).',
    remediation:
      "Send Content-Security-Policy: frame-ancestors 'none' (or 'self'), and X-Frame-Options: DENY.",
    references: [`${owasp}/Clickjacking_Defense_Cheat_Sheet.html`],
  },
  'referrer-leaks': {
    title: 'Referrer-Policy is missing or leaks full addresses',
    severity: 'INFO',
    cweIds: [200],
    description: 'Addresses, with what is in them, may be told to other sites.',
    remediation: 'Send Referrer-Policy: strict-origin-when-cross-origin or no-referrer.',
    references: [`${mdn}/Referrer-Policy`],
  },
  'software-disclosed': {
    title: 'Response names the server software',
    severity: 'LOW',
    cweIds: [497],
    description: 'Names and versions help attackers to look up known weaknesses.',
    remediation: 'Remove the header, or at least the version, in the server’s settings.',
    references: [`${owasp}/HTTP_Headers_Cheat_Sheet.html`],
  },
  'cors-any-origin': {
    title: 'Any web site may read the response',
    severity: 'LOW',
    cweIds: [942],
    description: 'Access-Control-Allow-Origin is *: right for public data only.',
    remediation: 'List the origins that need access, or send no Access-Control-Allow-Origin at all.',
    references: [`${mdn}/Access-Control-Allow-Origin`],
  },
  'cors-reflected-origin': {
    title: 'Any web site is allowed by echoing its origin',
    severity: 'MEDIUM',
    cweIds: [942],
    description: 'The server copies whatever Origin it is sent into Access-Control-Allow-Origin.',
    remediation: 'Compare the origin with a list of exact ones; with credentials above all.',
    references: ['https://portswigger.net/web-security/cors'],
  },
  'cookie-not-secure': {
    title: 'Cookie without Secure',
    severity: 'MEDIUM',
    cweIds: [614],
    description: 'The cookie is also sent over plain HTTP, where it can be read.',
    remediation: 'Set the attribute Secure, best with the name prefix __Host-.',
    references: [`${owasp}/Session_Management_Cheat_Sheet.html`, `${mdn}/Set-Cookie`],
  },
  'cookie-not-httponly': {
    title: 'Cookie without HttpOnly',
    severity: 'LOW',
    cweIds: [1004],
    description: 'Scripts can read the cookie; an injected one can steal it.',
    remediation: 'Set the attribute HttpOnly unless a script of yours needs the cookie.',
    references: [`${owasp}/Session_Management_Cheat_Sheet.html`, `${mdn}/Set-Cookie`],
  },
  'cookie-no-samesite': {
    title: 'Cookie without SameSite',
    severity: 'LOW',
    cweIds: [1275],
    description: 'Whether other sites’ requests carry the cookie is left to the browser.',
    remediation: 'Set SameSite=Lax or Strict.',
    references: [`${owasp}/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html`, `${mdn}/Set-Cookie`],
  },
};

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
  return [
    ...checkTransport(page),
    ...checkPolicies(page),
    ...checkSoftware(page),
    ...page.headers.getSetCookie().flatMap((cookie) => checkCookie(page, cookie)),
  ];
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
