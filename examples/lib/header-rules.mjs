// The rules of header-scan as data: what each is called, how bad it is and what to do; when they apply is beside.

/**
 * @typedef {{ title: string, severity: 'INFO' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL', cweIds: number[],
 *   description: string, remediation: string, references: string[] }} Rule
 */

const owasp = 'https://cheatsheetseries.owasp.org/cheatsheets';
const mdn = 'https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers';

/** @type {Record<string, Rule>} */
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
