// What the demonstration month is made of: people, projects, tools and rules as they are in the world. No chance is in here.

export const firstNames =
  'Ana Ben Carla David Elif Farid Grace Hugo Ines Jonas Kira Luca Maya Nils Olga Pavel Quinn Rosa Sami Tara Umut Vera Wim Xenia Yara'.split(
    ' ',
  );
export const lastNames =
  'Abbas Berg Costa Dietz Endo Fischer Garcia Haas Ito Jansen Kaya Lopez Meyer Novak Okafor Petrov Rossi Silva Tanaka Vogel'.split(
    ' ',
  );

/** Each has a repository, an image and an address; `size` scales its number of findings. */
export const projects = [
  { name: 'shop-web', team: 'storefront', size: 1.4, language: 'ts' },
  { name: 'shop-api', team: 'storefront', size: 1.2, language: 'ts' },
  { name: 'payments', team: 'payments', size: 0.7, language: 'java' },
  { name: 'ledger', team: 'payments', size: 0.6, language: 'java' },
  { name: 'identity', team: 'platform', size: 0.5, language: 'java' },
  { name: 'notifications', team: 'platform', size: 0.8, language: 'py' },
  { name: 'reporting', team: 'data', size: 1.3, language: 'py' },
  { name: 'ingest', team: 'data', size: 0.9, language: 'py' },
  { name: 'admin-portal', team: 'back office', size: 1.6, language: 'ts' },
  { name: 'legacy-crm', team: 'back office', size: 2.4, language: 'java' },
  { name: 'mobile-gateway', team: 'mobile', size: 0.8, language: 'ts' },
  { name: 'infrastructure', team: 'platform', size: 1, language: 'tf' },
];

const files = {
  ts: [
    'routes/orders',
    'routes/search',
    'lib/session',
    'lib/render',
    'db/query',
    'services/export',
    'auth/jwt',
  ],
  java: [
    'web/LoginController',
    'web/SearchServlet',
    'dao/AccountDao',
    'util/XmlReader',
    'util/Hashing',
    'io/Upload',
  ],
  py: ['views/report', 'views/upload', 'tasks/fetch', 'models/query', 'utils/archive', 'utils/templates'],
  tf: ['storage', 'network', 'iam', 'database', 'cluster'],
};

/** A file of a project's language. */
export const pathOf = (language, pick) => `src/${pick(files[language])}.${language}`;

const urlPaths =
  '/ /login /search /cart /checkout /account /account/orders /api/items /api/export /help /admin /admin/users'.split(
    ' ',
  );
const parameters = 'q id next page sort file lang email'.split(' ');

/** What a rule finds, where: `place` gives the location from the project and a function that picks. */
const rule = (severity, ruleId, title, cweIds, more = {}) => ({ severity, ruleId, title, cweIds, ...more });
const cve = (severity, id, component, fixed, cweIds, cvssVector, title) =>
  rule(severity, id, `${title} in ${component.split('@')[0]}`, cweIds, {
    ...{ cveIds: [id], cvssVector, component, remediation: `Update to ${fixed} or later.` },
    references: [`https://nvd.nist.gov/vuln/detail/${id}`],
  });

const inSource = (project, pick) => ({
  path: pathOf(project.language, pick),
  startLine:
    1 + Math.floor(pick([0.03, 0.1, 0.2, 0.35, 0.5, 0.8, 1.3, 2.1]) * 200) + pick([0, 1, 3, 4, 7, 11]),
});
const onPage = (project, pick) => {
  const path = pick(urlPaths);
  const host = `${project.name}.demo.test`;
  return { url: `https://${host}${path}`, host, method: 'GET' };
};
const onParameter = (project, pick) => ({ ...onPage(project, pick), parameter: pick(parameters) });
const manifests = { ts: 'package-lock.json', java: 'pom.xml', py: 'poetry.lock' };
const folders = ['', 'services/worker/', 'services/jobs/', 'tools/', 'packages/core/', 'packages/ui/'];
const inComponent = ({ language }, pick, { component }) => ({
  component,
  path: `${pick(folders)}${manifests[language]}`,
});
const inLayer = (_project, pick, { component }) => ({
  component,
  path: pick(['var/lib/dpkg/status', 'usr/lib', 'opt/app']),
});

export const tools = [
  {
    ...{ kind: 'SAST', tool: 'Semgrep', toolVersion: '1.97.0', runs: 150, findings: 140, place: inSource },
    phases: ['Fetching rules', 'Scanning files', 'Writing the report'],
    languages: ['ts', 'java', 'py'],
    rules: [
      rule('HIGH', 'generic.sql-injection', 'Value from the request reaches an SQL statement', [89]),
      rule('HIGH', 'generic.command-injection', 'Value from the request reaches a shell command', [78]),
      rule('HIGH', 'generic.path-traversal', 'File name from the request is opened unchecked', [22]),
      rule('CRITICAL', 'generic.unsafe-deserialization', 'Untrusted data is deserialised', [502]),
      rule(
        'MEDIUM',
        'generic.reflected-xss',
        'Value from the request is written into a page unescaped',
        [79],
      ),
      rule('MEDIUM', 'generic.ssrf', 'Address from the request is fetched', [918]),
      rule('MEDIUM', 'generic.xxe', 'XML is parsed with external entities', [611]),
      rule('MEDIUM', 'generic.open-redirect', 'Redirects to an address from the request', [601]),
      rule(
        'MEDIUM',
        'generic.weak-hash',
        'MD5 or SHA-1 is used for something that must not be forged',
        [327, 328],
      ),
      rule('LOW', 'generic.insecure-random', 'Predictable random numbers make a token', [330, 338]),
      rule('LOW', 'generic.log-injection', 'Value from the request is logged as it is', [117]),
      rule('LOW', 'generic.regex-dos', 'Regular expression takes exponential time', [1333]),
      rule('INFO', 'generic.todo-security', 'Comment speaks of a security flaw', [546]),
      rule('INFO', 'generic.debug-enabled', 'Debugging is switched on', [489]),
    ],
  },
  {
    ...{ kind: 'SCA', tool: 'Trivy', toolVersion: '0.58.1', runs: 170, findings: 70, place: inComponent },
    phases: ['Updating the database', 'Reading lockfiles', 'Matching versions'],
    languages: ['ts', 'java', 'py'],
    rules: [
      cve(
        'CRITICAL',
        'CVE-2021-44228',
        'org.apache.logging.log4j:log4j-core@2.14.1',
        '2.15.0',
        [20, 400, 502, 917],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H',
        'Remote code execution by JNDI lookups (Log4Shell)',
      ),
      cve(
        'CRITICAL',
        'CVE-2022-22965',
        'org.springframework:spring-beans@5.3.17',
        '5.3.18',
        [94],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
        'Remote code execution by data binding (Spring4Shell)',
      ),
      cve(
        'CRITICAL',
        'CVE-2022-42889',
        'org.apache.commons:commons-text@1.9',
        '1.10.0',
        [94],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
        'Code execution by interpolation',
      ),
      cve(
        'CRITICAL',
        'CVE-2021-44906',
        'minimist@1.2.5',
        '1.2.6',
        [1321],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
        'Prototype pollution',
      ),
      cve(
        'HIGH',
        'CVE-2021-23337',
        'lodash@4.17.20',
        '4.17.21',
        [77, 94],
        'CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H',
        'Command injection by templates',
      ),
      cve(
        'HIGH',
        'CVE-2020-8203',
        'lodash@4.17.15',
        '4.17.19',
        [1321],
        'CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:H/A:H',
        'Prototype pollution',
      ),
      cve(
        'HIGH',
        'CVE-2022-25883',
        'semver@7.3.7',
        '7.5.2',
        [1333],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H',
        'Denial of service by a regular expression',
      ),
      cve(
        'HIGH',
        'CVE-2022-24999',
        'qs@6.5.2',
        '6.5.3',
        [1321],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H',
        'Denial of service by prototype pollution',
      ),
      cve(
        'MEDIUM',
        'CVE-2023-45857',
        'axios@1.5.1',
        '1.6.0',
        [352],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N',
        'XSRF token is sent to other hosts',
      ),
      cve(
        'MEDIUM',
        'CVE-2024-29041',
        'express@4.18.2',
        '4.19.2',
        [601, 1286],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N',
        'Open redirect by malformed addresses',
      ),
      cve(
        'MEDIUM',
        'CVE-2023-26136',
        'tough-cookie@4.1.2',
        '4.1.3',
        [1321],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N',
        'Prototype pollution',
      ),
      cve(
        'MEDIUM',
        'CVE-2023-32681',
        'requests@2.28.2',
        '2.31.0',
        [200],
        'CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:C/C:H/I:N/A:N',
        'Proxy credentials leak on redirects',
      ),
    ],
  },
  {
    ...{ kind: 'DAST', tool: 'ZAP', toolVersion: '2.15.0', runs: 110, findings: 150, place: onParameter },
    phases: ['Crawling', 'Passive rules', 'Active rules', 'Writing the report'],
    languages: ['ts', 'java', 'py'],
    rules: [
      rule('HIGH', '40018', 'SQL Injection', [89]),
      rule('HIGH', '40012', 'Cross Site Scripting (Reflected)', [79]),
      rule('HIGH', '6', 'Path Traversal', [22]),
      rule('HIGH', '20019', 'External Redirect', [601]),
      rule('MEDIUM', '10038', 'Content Security Policy (CSP) Header Not Set', [693], { place: onPage }),
      rule('MEDIUM', '10020', 'Missing Anti-clickjacking Header', [1021], { place: onPage }),
      rule('MEDIUM', '10202', 'Absence of Anti-CSRF Tokens', [352], { place: onPage }),
      rule('LOW', '10021', 'X-Content-Type-Options Header Missing', [693], { place: onPage }),
      rule('LOW', '10035', 'Strict-Transport-Security Header Not Set', [319], { place: onPage }),
      rule('LOW', '10010', 'Cookie No HttpOnly Flag', [1004], { place: onPage }),
      rule('LOW', '10011', 'Cookie Without Secure Flag', [614], { place: onPage }),
      rule('LOW', '10036', 'Server Leaks Version Information', [497], { place: onPage }),
      rule('INFO', '10027', 'Information Disclosure - Suspicious Comments', [615], { place: onPage }),
      rule('INFO', '10109', 'Modern Web Application', [], { place: onPage }),
    ],
  },
  {
    ...{ kind: 'SECRETS', tool: 'Gitleaks', toolVersion: '8.21.2', runs: 70, findings: 5, place: inSource },
    phases: ['Reading the history', 'Matching rules'],
    languages: ['ts', 'java', 'py', 'tf'],
    rules: [
      rule('CRITICAL', 'aws-access-token', 'AWS access key in the repository', [798]),
      rule('CRITICAL', 'private-key', 'Private key in the repository', [321, 798]),
      rule('HIGH', 'github-pat', 'GitHub personal access token in the repository', [798]),
      rule('HIGH', 'slack-webhook-url', 'Slack webhook in the repository', [798]),
      rule('MEDIUM', 'generic-api-key', 'Something like an API key in the repository', [798]),
    ],
  },
  {
    ...{ kind: 'IAC', tool: 'Checkov', toolVersion: '3.2.334', runs: 40, findings: 90, place: inSource },
    phases: ['Reading modules', 'Checking policies'],
    languages: ['tf'],
    rules: [
      rule('HIGH', 'CKV_AWS_24', 'Security group opens port 22 to the world', [284]),
      rule('HIGH', 'CKV_AWS_53', 'S3 bucket does not block public ACLs', [284]),
      rule('HIGH', 'CKV_AWS_17', 'RDS instance is publicly accessible', [284]),
      rule('MEDIUM', 'CKV_AWS_16', 'RDS storage is not encrypted', [311]),
      rule('MEDIUM', 'CKV_AWS_145', 'S3 bucket is not encrypted with KMS', [311]),
      rule('MEDIUM', 'CKV_AWS_111', 'IAM policy allows write access without constraints', [269]),
      rule('LOW', 'CKV_AWS_18', 'S3 bucket has no access log', [778]),
      rule('LOW', 'CKV_AWS_21', 'S3 bucket has no versioning', [693]),
      rule('INFO', 'CKV_AWS_144', 'S3 bucket is not replicated to another region', []),
    ],
  },
  {
    ...{
      kind: 'CONTAINER',
      tool: 'Grype',
      toolVersion: '0.86.1',
      runs: 90,
      findings: 45,
      place: inLayer,
    },
    phases: ['Pulling the image', 'Listing packages', 'Matching versions'],
    languages: ['ts', 'java', 'py'],
    rules: [
      cve(
        'CRITICAL',
        'CVE-2024-3094',
        'liblzma5@5.6.0',
        '5.6.2',
        [506],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H',
        'Backdoor',
      ),
      cve(
        'CRITICAL',
        'CVE-2023-38545',
        'libcurl4@7.88.1-10',
        '7.88.1-10+deb12u4',
        [787],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
        'Heap overflow in the SOCKS5 handshake',
      ),
      cve(
        'CRITICAL',
        'CVE-2022-37434',
        'zlib1g@1.2.11',
        '1.2.12',
        [787],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
        'Heap overflow by a gzip header',
      ),
      cve(
        'HIGH',
        'CVE-2023-4911',
        'libc6@2.36-9',
        '2.36-9+deb12u3',
        [122, 787],
        'CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H',
        'Buffer overflow in the dynamic loader (Looney Tunables)',
      ),
      cve(
        'HIGH',
        'CVE-2023-0464',
        'libssl3@3.0.8-1',
        '3.0.9-1',
        [295],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H',
        'Denial of service by certificate policies',
      ),
      cve(
        'HIGH',
        'CVE-2018-25032',
        'zlib1g@1.2.11',
        '1.2.12',
        [787],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H',
        'Memory corruption when deflating',
      ),
      cve(
        'MEDIUM',
        'CVE-2023-5678',
        'libssl3@3.0.11-1',
        '3.0.13-1',
        [754],
        'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L',
        'Slow check of long X9.42 keys',
      ),
      rule('LOW', 'DKL-LI-0003', 'Needless files in the image', [1104], { component: 'image layer' }),
      rule('INFO', 'CIS-DI-0005', 'Content trust is not enabled', [], { component: 'image' }),
    ],
  },
];

export const failures = [
  'The target did not answer within 60 s',
  'The scanner was killed: out of memory',
  'The vulnerability database could not be updated: connection timed out',
  'The repository could not be cloned: authentication failed',
];
