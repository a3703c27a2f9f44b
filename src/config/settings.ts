// Declares every setting once, as data: name, group, description, shape and default; load.ts reads them.
import { z } from 'zod';
import { linkUrl, sender, smtpUrl } from './mail-schemas.js';
import { oidcProviders } from './oidc-providers.js';
import {
  baseUrl,
  databaseUrl,
  domain,
  flag,
  oneOf,
  origins,
  path,
  replicaUrl,
  share,
  signingKeys,
  text,
  urlOf,
  wholeNumber,
  words,
  workerCount,
} from './schemas.js';

/** The profiles a process can run in; each has its own safe defaults. */
export type Environment = 'development' | 'test' | 'production';

/** One setting as data. Defaults are written as a person would write them in the environment. */
export type Setting = {
  /** The name in the environment; a secret is also read from the file that `<name>_FILE` names. */
  name: string;
  group: string;
  description: string;
  schema: z.ZodType<unknown, string>;
  secret?: true;
  /** Absent where unset is a choice of its own. */
  default?: string | Readonly<Record<Environment, string>>;
};

const year = 31_536_000;
const word = text(/^[\x21-\x7e]{1,200}$/, '1 to 200 visible characters without spaces');

/** All settings by their key in the configuration, in the order people read them. */
export const settings = {
  environment: {
    name: 'NODE_ENV',
    group: 'Server',
    description: 'Profile that picks safe defaults: development, test or production.',
    schema: oneOf('development', 'test', 'production'),
    default: 'development',
  },
  host: {
    name: 'HOST',
    group: 'Server',
    description: 'Address to listen on.',
    schema: text(/^[A-Za-z0-9._:%-]{1,253}$/, 'a host name or an IP address'),
    default: { development: '127.0.0.1', test: '127.0.0.1', production: '0.0.0.0' },
  },
  port: {
    name: 'PORT',
    group: 'Server',
    description: 'TCP port to listen on; 0 takes a free one.',
    schema: wholeNumber(0, 65_535),
    default: '4000',
  },
  workers: {
    name: 'WORKERS',
    group: 'Server',
    description:
      'Processes that serve the port: a number, or auto for one per core. Each has its own database connections (docs/scaling.md).',
    schema: workerCount(),
    default: '1',
  },
  trustProxyHops: {
    name: 'TRUST_PROXY',
    group: 'Server',
    description: 'Number of reverse proxies in front whose X-Forwarded-For entries are believed.',
    schema: wholeNumber(0, 10, 'hops'),
    default: '0',
  },
  heartbeatSeconds: {
    name: 'HEARTBEAT_SECONDS',
    group: 'Server',
    description:
      'Longest silence on event streams and WebSockets, in seconds; keep it below the time-outs of proxies.',
    schema: wholeNumber(1, 300, 'seconds'),
    default: '12',
  },
  shutdownTimeoutMs: {
    name: 'SHUTDOWN_TIMEOUT_MS',
    group: 'Server',
    description: 'Longest time a graceful stop waits for open requests, in milliseconds.',
    schema: wholeNumber(0, 300_000, 'milliseconds'),
    default: '8000',
  },
  dataDir: {
    name: 'DATA_DIR',
    group: 'Server',
    description: 'Folder of the embedded database and of the keys made for it.',
    schema: path(),
    default: '.data',
  },
  importDir: {
    name: 'IMPORT_DIR',
    group: 'Imports',
    description: 'Folder in which reports wait for their import; `imports` in DATA_DIR unless set.',
    schema: path(),
  },
  importMaxBytes: {
    name: 'IMPORT_MAX_BYTES',
    group: 'Imports',
    description: 'Largest report as it is sent, in bytes.',
    schema: wholeNumber(1000, 10_000_000_000, 'bytes'),
    default: '200000000',
  },
  importMaxUnpackedBytes: {
    name: 'IMPORT_MAX_UNPACKED_BYTES',
    group: 'Imports',
    description: 'Largest report when it is unpacked, in bytes.',
    schema: wholeNumber(1000, 100_000_000_000, 'bytes'),
    default: '2000000000',
  },
  importsAtOnce: {
    name: 'IMPORTS_AT_ONCE',
    group: 'Imports',
    description:
      'Imports that an instance works on at the same time; each takes three connections beside the pool.',
    schema: wholeNumber(1, 16),
    default: '1',
  },
  corsOrigins: {
    name: 'CORS_ORIGINS',
    group: 'Server',
    description: 'Web origins that may call the API from a browser, separated by commas; none by default.',
    schema: origins(),
    default: '',
  },
  isGraphiqlEnabled: {
    name: 'GRAPHIQL',
    group: 'Server',
    description: 'Whether a browser at /graphql gets GraphiQL.',
    schema: flag(),
    default: { development: 'true', test: 'true', production: 'false' },
  },
  isIntrospectionEnabled: {
    name: 'INTROSPECTION',
    group: 'Server',
    description: 'Whether clients may ask for the GraphQL schema.',
    schema: flag(),
    default: { development: 'true', test: 'true', production: 'false' },
  },
  trustedDocuments: {
    name: 'TRUSTED_DOCUMENTS',
    group: 'Server',
    description: 'JSON file of id → GraphQL document; with it, only these documents run.',
    schema: path(),
  },
  databaseUrl: {
    name: 'DATABASE_URL',
    group: 'Database',
    description: 'PostgreSQL to use; without it the server starts one of its own in DATA_DIR.',
    schema: databaseUrl(),
    secret: true,
  },
  databasePoolMax: {
    name: 'DATABASE_POOL_MAX',
    group: 'Database',
    description: 'Most database connections of one process.',
    schema: wholeNumber(1, 1_000, 'connections'),
    default: '20',
  },
  databaseStatementTimeoutMs: {
    name: 'DATABASE_STATEMENT_TIMEOUT_MS',
    group: 'Database',
    description: 'Longest time one SQL statement may run, in milliseconds.',
    schema: wholeNumber(100, 600_000, 'milliseconds'),
    default: '4000',
  },
  databaseAcquireTimeoutMs: {
    name: 'DATABASE_ACQUIRE_TIMEOUT_MS',
    group: 'Database',
    description: 'Longest time a request waits for free database connections, in milliseconds.',
    schema: wholeNumber(50, 60_000, 'milliseconds'),
    default: '1500',
  },
  databaseReadUrl: {
    name: 'DATABASE_READ_URL',
    group: 'Database',
    description:
      'Standby of the database for lists, statistics and exports; each process opens as many connections to it again.',
    schema: replicaUrl(),
    secret: true,
  },
  databaseReadWaitMs: {
    name: 'DATABASE_READ_WAIT_MS',
    group: 'Database',
    description:
      'Longest time a read waits for the standby to show all that was committed, in milliseconds; then it runs on the database.',
    schema: wholeNumber(1, 1_000, 'milliseconds'),
    default: '20',
  },
  migrationDatabaseUrl: {
    name: 'MIGRATION_DATABASE_URL',
    group: 'Database',
    description:
      'The same database as its owner, for migrating only; without it DATABASE_URL is used, which then owns the tables.',
    schema: databaseUrl(),
    secret: true,
  },
  migrateOnStart: {
    name: 'MIGRATE_ON_START',
    group: 'Database',
    description: 'Whether the start applies pending migrations to DATABASE_URL.',
    schema: flag(),
    default: 'false',
  },
  redisUrl: {
    name: 'REDIS_URL',
    group: 'Redis',
    description: 'Redis that instances share; without it everything shared lives in the process.',
    schema: urlOf('redis', 'rediss'),
    secret: true,
  },
  adminEmail: {
    name: 'ADMIN_EMAIL',
    group: 'First admin',
    description: 'E-mail address of the first admin, made only while there are no users.',
    schema: z.email({ error: 'an e-mail address' }).max(254, { error: 'at most 254 characters' }),
  },
  adminPassword: {
    name: 'ADMIN_PASSWORD',
    group: 'First admin',
    description: 'Password of the first admin, taken exactly as given.',
    schema: z.string(),
    secret: true,
  },
  jwtSigningKeys: {
    name: 'JWT_SIGNING_KEYS',
    group: 'Tokens and sessions',
    description:
      'Private Ed25519 JWKs as JSON: the first signs, all verify. Needed in production with DATABASE_URL.',
    schema: signingKeys(),
    secret: true,
  },
  jwtIssuer: {
    name: 'JWT_ISSUER',
    group: 'Tokens and sessions',
    description: 'Issuer (iss) of the tokens.',
    schema: word,
    default: 'sec-tester',
  },
  jwtAudience: {
    name: 'JWT_AUDIENCE',
    group: 'Tokens and sessions',
    description: 'Audience (aud) of the access tokens.',
    schema: word,
    default: 'sec-tester-api',
  },
  accessTokenTtlSeconds: {
    name: 'ACCESS_TOKEN_TTL_SECONDS',
    group: 'Tokens and sessions',
    description: 'Lifetime of an access token, in seconds.',
    schema: wholeNumber(60, 3_600, 'seconds'),
    default: '900',
  },
  refreshIdleTtlSeconds: {
    name: 'REFRESH_IDLE_TTL_SECONDS',
    group: 'Tokens and sessions',
    description: 'Time without a refresh after which a session ends, in seconds.',
    schema: wholeNumber(60, year, 'seconds'),
    default: '604800',
  },
  sessionTtlSeconds: {
    name: 'SESSION_TTL_SECONDS',
    group: 'Tokens and sessions',
    description: 'Longest lifetime of a session, in seconds; at least REFRESH_IDLE_TTL_SECONDS.',
    schema: wholeNumber(60, year, 'seconds'),
    default: '2592000',
  },
  publicUrl: {
    name: 'PUBLIC_URL',
    group: 'Single sign-on',
    description:
      'URL at which browsers reach the server, such as https://sec.example.com. Needed in production with OIDC_PROVIDERS, and with SMTP_URL unless PASSWORD_LINK_URL is set.',
    schema: baseUrl(),
  },
  oidcProviders: {
    name: 'OIDC_PROVIDERS',
    group: 'Single sign-on',
    description:
      'Identity providers (OpenID Connect) as a JSON list of { id, name, issuer, clientId, clientSecret, … }: see docs/sso.md.',
    schema: oidcProviders(),
    secret: true,
  },
  isPasswordSignInEnabled: {
    name: 'PASSWORD_SIGN_IN',
    group: 'Single sign-on',
    description:
      'Whether users can sign in with passwords; if false, only BREAK_GLASS_ADMIN can, and OIDC_PROVIDERS is required.',
    schema: flag(),
    default: 'true',
  },
  breakGlassAdmin: {
    name: 'BREAK_GLASS_ADMIN',
    group: 'Single sign-on',
    description: 'E-mail address of the admin who keeps a password when PASSWORD_SIGN_IN is false.',
    schema: text(/^[^\s@]{1,64}@[^\s@]{1,189}$/, 'an e-mail address'),
  },
  apiKeysMaxPerUser: {
    name: 'API_KEYS_MAX_PER_USER',
    group: 'Tokens and sessions',
    description:
      'API keys that one user may have, twice as many while rotated ones overlap; revoked and expired ones do not count.',
    schema: wholeNumber(1, 10_000, 'keys'),
    default: '50',
  },
  sessionsMaxPerUser: {
    name: 'SESSIONS_MAX_PER_USER',
    group: 'Tokens and sessions',
    description: 'Live sessions one user may have; a further sign-in ends the oldest.',
    schema: wholeNumber(1, 100_000, 'sessions'),
    default: '20',
  },
  riskAcceptanceMaxDays: {
    name: 'RISK_ACCEPTANCE_MAX_DAYS',
    group: 'Findings',
    description: 'Days for which the risk of a finding may be accepted at most; it opens by itself then.',
    schema: wholeNumber(1, 3650, 'days'),
    default: '365',
  },
  passwordMinLength: {
    name: 'PASSWORD_MIN_LENGTH',
    group: 'Passwords',
    description: 'Shortest password people may choose, in code points.',
    schema: wholeNumber(8, 128, 'code points'),
    default: '15',
  },
  isPasswordChangeRequired: {
    name: 'PASSWORD_CHANGE_REQUIRED',
    group: 'Passwords',
    description: 'Whether users must change a password that an admin gave them before they do anything else.',
    schema: flag(),
    default: 'false',
  },
  argon2MemoryKib: {
    name: 'ARGON2_MEMORY_KIB',
    group: 'Passwords',
    description: 'Memory of one Argon2id hash, in KiB; at least 19456 outside tests.',
    schema: wholeNumber(8, 4_194_304, 'KiB'),
    default: '19456',
  },
  argon2Iterations: {
    name: 'ARGON2_ITERATIONS',
    group: 'Passwords',
    description: 'Passes of one Argon2id hash; at least 2 outside tests.',
    schema: wholeNumber(1, 100, 'passes'),
    default: '2',
  },
  argon2Parallelism: {
    name: 'ARGON2_PARALLELISM',
    group: 'Passwords',
    description: 'Degree of parallelism of one Argon2id hash.',
    schema: wholeNumber(1, 64),
    default: '1',
  },
  hashQueueMax: {
    name: 'HASH_QUEUE_MAX',
    group: 'Passwords',
    description: 'Most password checks that may wait; the server refuses more with UNAVAILABLE.',
    schema: wholeNumber(1, 100_000, 'waiting'),
    default: '200',
  },
  responseMaxBytes: {
    name: 'RESPONSE_MAX_BYTES',
    group: 'Limits',
    description: 'Largest GraphQL response in bytes; a larger one is refused before it is serialized.',
    schema: wholeNumber(65_536, 268_435_456, 'bytes'),
    default: '8388608',
  },
  streamsMaxPerUser: {
    name: 'STREAMS_MAX_PER_USER',
    group: 'Limits',
    description: 'Live streams that one user may have open on an instance.',
    schema: wholeNumber(1, 1_000_000, 'streams'),
    default: '10000',
  },
  streamsMaxPerConnection: {
    name: 'STREAMS_MAX_PER_CONNECTION',
    group: 'Limits',
    description: 'Operations that may run at a time on one WebSocket.',
    schema: wholeNumber(1, 100_000, 'operations'),
    default: '200',
  },
  webSocketsMaxPerUser: {
    name: 'WEBSOCKETS_MAX_PER_USER',
    group: 'Limits',
    description: 'WebSocket connections that one user may have open on an instance.',
    schema: wholeNumber(1, 1_000_000, 'connections'),
    default: '1000',
  },
  webSocketsMaxPerAddress: {
    name: 'WEBSOCKETS_MAX_PER_ADDRESS',
    group: 'Limits',
    description:
      'WebSocket connections that one address (the /64 of an IPv6 address) may have open on an instance.',
    schema: wholeNumber(1, 1_000_000, 'connections'),
    default: '1000',
  },
  rateLimitPerMinute: {
    name: 'RATE_LIMIT_PER_MINUTE',
    group: 'Limits',
    description:
      'Requests that a user may make in a minute, by all sessions and API keys together; 0 for no limit.',
    schema: wholeNumber(0, 10_000_000, 'requests'),
    default: '3000',
  },
  rateLimitAnonymousPerMinute: {
    name: 'RATE_LIMIT_ANONYMOUS_PER_MINUTE',
    group: 'Limits',
    description: 'Requests without sign-in an address may make in a minute; 0 for no limit.',
    schema: wholeNumber(0, 10_000_000, 'requests'),
    default: '300',
  },
  loginMaxFailures: {
    name: 'LOGIN_MAX_FAILURES',
    group: 'Limits',
    description: 'Failed sign-ins of one account after which it is locked for a while.',
    schema: wholeNumber(1, 1_000, 'failures'),
    default: '5',
  },
  loginLockSeconds: {
    name: 'LOGIN_LOCK_SECONDS',
    group: 'Limits',
    description: 'Length of the first lock, in seconds; it grows when failures go on.',
    schema: wholeNumber(1, 86_400, 'seconds'),
    default: '60',
  },
  secondFactorRoles: {
    name: 'REQUIRE_SECOND_FACTOR_ROLES',
    group: 'Second factor',
    description: 'Roles that must set up a second factor before they do anything else, separated by commas.',
    schema: words('ADMIN', 'ANALYST', 'VIEWER'),
    default: '',
  },
  secondFactorKey: {
    name: 'SECOND_FACTOR_KEY',
    group: 'Second factor',
    description: 'Key that encrypts the second factors in the database: 32 bytes in base64.',
    schema: text(/^[A-Za-z0-9+/]{43}=$/, '32 bytes in base64, for example from: openssl rand -base64 32'),
    secret: true,
  },
  passkeyDomain: {
    name: 'WEBAUTHN_RP_ID',
    group: 'Second factor',
    description:
      'Domain that passkeys belong to, such as example.com; the host of PUBLIC_URL unless set, or localhost. Changing it makes all passkeys useless.',
    schema: domain(),
  },
  passkeyOrigins: {
    name: 'WEBAUTHN_ORIGINS',
    group: 'Second factor',
    description:
      'Origins whose pages may use passkeys, separated by commas; unless set, that of PUBLIC_URL (or of localhost at PORT) and those in CORS_ORIGINS on the domain of the passkeys.',
    schema: origins(),
  },
  webhookKey: {
    name: 'WEBHOOK_KEY',
    group: 'Webhooks',
    description: 'Key that encrypts the secrets of webhooks in the database: 32 bytes in base64.',
    schema: text(/^[A-Za-z0-9+/]{43}=$/, '32 bytes in base64, for example from: openssl rand -base64 32'),
    secret: true,
  },
  arePrivateWebhooksAllowed: {
    name: 'WEBHOOK_PRIVATE_ADDRESSES',
    group: 'Webhooks',
    description:
      'Whether webhooks may use http and reach private, loopback and link-local addresses. Every admin could then make the server call services of the inner network.',
    schema: flag(),
    default: 'false',
  },
  smtpUrl: {
    name: 'SMTP_URL',
    group: 'Mail',
    description:
      'Mail server: smtp://user@mail.example.com:587 (STARTTLS) or smtps://user@mail.example.com (TLS from the start). Without it the server sends no mail.',
    schema: smtpUrl(),
    secret: true,
  },
  smtpPassword: {
    name: 'SMTP_PASSWORD',
    group: 'Mail',
    description: 'Password of the user in SMTP_URL, taken exactly as given.',
    schema: z.string().max(1000, { error: 'at most 1000 characters' }),
    secret: true,
  },
  smtpTls: {
    name: 'SMTP_TLS',
    group: 'Mail',
    description:
      'Whether a mail server at smtp:// must offer STARTTLS: required or optional. Unset, it is required unless the server is at a loopback address.',
    schema: oneOf('required', 'optional'),
  },
  smtpFrom: {
    name: 'SMTP_FROM',
    group: 'Mail',
    description: 'Sender of mails: an address, or "Name <address>". Needed with SMTP_URL.',
    schema: sender(),
  },
  mailLanguage: {
    name: 'MAIL_LANGUAGE',
    group: 'Mail',
    description: 'Language of mails: en, de, or one that MAIL_TEMPLATES_DIR has templates for.',
    schema: text(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'a language tag such as en or pt-BR'),
    default: 'en',
  },
  mailTemplatesDir: {
    name: 'MAIL_TEMPLATES_DIR',
    group: 'Mail',
    description:
      'Folder with templates of your own, such as de/invitation.txt: see docs/mail.md. The server does not start with a wrong one.',
    schema: path(),
  },
  passwordLinkUrl: {
    name: 'PASSWORD_LINK_URL',
    group: 'Mail',
    description:
      'Page at which users choose a password, with {token} in the fragment: https://app.example.com/password#{token}. Unless set, it is /password below PUBLIC_URL.',
    schema: linkUrl(),
  },
  arePrivateIssuersAllowed: {
    name: 'WORKLOAD_PRIVATE_ISSUERS',
    group: 'Workload identity',
    description:
      'Whether trust rules may name issuers on http and at private, loopback and link-local addresses, as those of clusters are. Every admin could then make the server call services of the inner network.',
    schema: flag(),
    default: 'false',
  },
  auditSealEverySeconds: {
    name: 'AUDIT_SEAL_EVERY_SECONDS',
    group: 'Audit trail',
    description: 'Time between two seals over new audit events, in seconds.',
    schema: wholeNumber(1, 3_600, 'seconds'),
    default: '10',
  },
  auditHeadFile: {
    name: 'AUDIT_HEAD_FILE',
    group: 'Audit trail',
    description:
      'File to which the server appends the head of the audit trail (number, hash, time) after each seal. Keep it where the owner of the database cannot write; audit:verify compares the trail with it.',
    schema: path(),
  },
  auditHeadWebhook: {
    name: 'AUDIT_HEAD_WEBHOOK',
    group: 'Audit trail',
    description: 'URL to which the server POSTs the head of the audit trail after each seal, as JSON.',
    schema: urlOf('http', 'https'),
  },
  auditSealKey: {
    name: 'AUDIT_SEAL_KEY',
    group: 'Audit trail',
    description: 'Signs the seals (HMAC-SHA-256), so that the owner of the database cannot forge them.',
    schema: text(/^.{32,1000}$/, 'at least 32 characters'),
    secret: true,
  },
  isMetricsEnabled: {
    name: 'METRICS',
    group: 'Metrics and traces',
    description: 'Whether /metrics tells Prometheus what is measured; in production only with METRICS_TOKEN.',
    schema: flag(),
    default: { development: 'true', test: 'false', production: 'false' },
  },
  metricsToken: {
    name: 'METRICS_TOKEN',
    group: 'Metrics and traces',
    description: 'Bearer token that /metrics asks for; without it everyone may read /metrics.',
    schema: text(/^[\x21-\x7e]{32,1000}$/, 'at least 32 visible characters without spaces'),
    secret: true,
  },
  isTracingDisabled: {
    name: 'OTEL_SDK_DISABLED',
    group: 'Metrics and traces',
    description: 'Switches traces off, regardless of other settings.',
    schema: flag(),
    default: 'false',
  },
  tracesExporter: {
    name: 'OTEL_TRACES_EXPORTER',
    group: 'Metrics and traces',
    description:
      'Where traces go: otlp (HTTP with JSON), console or none; otlp when OTEL_EXPORTER_OTLP_ENDPOINT is set.',
    schema: oneOf('otlp', 'console', 'none'),
  },
  otlpEndpoint: {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    group: 'Metrics and traces',
    description: 'Base URL of the collector of traces; /v1/traces is put behind it.',
    schema: urlOf('http', 'https'),
  },
  otlpHeaders: {
    name: 'OTEL_EXPORTER_OTLP_HEADERS',
    group: 'Metrics and traces',
    description: 'Headers for the collector, as name=value separated by commas.',
    schema: text(/^[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$/, 'name=value pairs separated by commas'),
    secret: true,
  },
  otelServiceName: {
    name: 'OTEL_SERVICE_NAME',
    group: 'Metrics and traces',
    description: 'Name of this service in traces.',
    schema: word,
    default: 'sec-tester-api',
  },
  tracesSampler: {
    name: 'OTEL_TRACES_SAMPLER',
    group: 'Metrics and traces',
    description: 'Which traces are kept, in the words of OpenTelemetry; parentbased ones follow the sender.',
    schema: oneOf(
      ...(['always_on', 'always_off', 'traceidratio'] as const),
      ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
    ),
    default: 'parentbased_always_on',
  },
  tracesSamplerArg: {
    name: 'OTEL_TRACES_SAMPLER_ARG',
    group: 'Metrics and traces',
    description: 'Share of traces that a traceidratio sampler keeps, from 0 to 1.',
    schema: share(),
    default: '1',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    group: 'Logs',
    description: 'Least important level that is logged: fatal, error, warn, info, debug, trace or silent.',
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: { development: 'info', test: 'warn', production: 'info' },
  },
  logFile: {
    name: 'LOG_FILE',
    group: 'Logs',
    description:
      'File that gets the log too, rotated by size and day; date and number are put into its name.',
    schema: path(),
  },
  logKeep: {
    name: 'LOG_KEEP',
    group: 'Logs',
    description: 'Number of log files that are kept.',
    schema: wholeNumber(1, 10_000, 'files'),
    default: '7',
  },
  logMaxSizeMb: {
    name: 'LOG_MAX_SIZE_MB',
    group: 'Logs',
    description: 'Size at which a log file is rotated, in MB.',
    schema: wholeNumber(1, 100_000, 'MB'),
    default: '50',
  },
} as const satisfies Record<string, Setting>;
