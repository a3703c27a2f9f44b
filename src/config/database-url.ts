// Reads DATABASE_URL in libpq's forms: several hosts, Unix sockets, options. Its errors never hold any part of a password.

/** One place where the database may be. */
export interface DatabaseHost {
  /** A name, an address, or the folder of a Unix socket; empty for PGHOST, or else this machine. */
  host: string;
  /** Empty for PGPORT, or else 5432. */
  port: string;
}

/** The parts of a database URL. */
export interface DatabaseAddress {
  /** At least one, in the order in which they are tried. */
  hosts: readonly DatabaseHost[];
  /** Whether a host that only reads is passed over. */
  mustWrite: boolean;
  user: string;
  password: string;
  /** Empty for the user's name. */
  database: string;
  /** Further settings of the session, as `-c name=value`. */
  options: string;
  /** Parameters about TLS, as pg reads them from a URL. */
  tls: Readonly<Record<string, string>>;
}

const tlsParameters = new Set([
  ...['sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation', 'ssl', 'uselibpqcompat'],
]);
/** Parameters of libpq, Prisma and hosting services that mean nothing to this server, or are its own to choose. */
const ignoredParameters = new Set([
  ...['application_name', 'fallback_application_name', 'client_encoding', 'connect_timeout', 'gssencmode'],
  ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
  ...['channel_binding', 'pgbouncer', 'connection_limit', 'pool_timeout', 'socket_timeout'],
]);
const readParameters = new Set([
  ...['host', 'port', 'user', 'password', 'dbname', 'options', 'schema', 'target_session_attrs'],
]);
const settingsInstead: Readonly<Record<string, string>> = {
  statement_timeout: 'DATABASE_STATEMENT_TIMEOUT_MS',
  query_timeout: 'DATABASE_STATEMENT_TIMEOUT_MS',
  max: 'DATABASE_POOL_MAX',
};

const form = /^(?:postgres|postgresql):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const hostForm = /^(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[\w.%-]*)(?::(\d{1,5}))?$/;

/**
 * Reads a URL.
 * @throws Error that says what is wrong with it, without the password
 */
export function readDatabaseUrl(url: string): DatabaseAddress {
  const [, authority, path = '', query = ''] = form.exec(url) ?? [];
  // A password with one of / ? # ends the host early, and leaves its @ behind.
  if (!/^postgres(ql)?:\/\//.test(url))
    throw new Error('a URL that begins with postgres:// or postgresql://');
  if (authority === undefined || /@/.test(path + query))
    throw new Error(
      'a URL whose password has its special characters percent-encoded (/ as %2F, ? as %3F, # as %23, @ as %40)',
    );
  const at = authority.lastIndexOf('@');
  const userInfo = at === -1 ? '' : authority.slice(0, at);
  const colon = userInfo.indexOf(':');
  const parameters = new URLSearchParams(query);
  assertKnown(parameters);
  return {
    hosts: hostsOf(authority.slice(at + 1), parameters),
    mustWrite: mustWrite(parameters.get('target_session_attrs'), authority.slice(at + 1), parameters),
    user: parameters.get('user') ?? decoded(colon === -1 ? userInfo : userInfo.slice(0, colon)),
    password: parameters.get('password') ?? decoded(colon === -1 ? '' : userInfo.slice(colon + 1)),
    database: parameters.get('dbname') ?? decoded(path),
    options: parameters.get('options') ?? '',
    tls: Object.fromEntries([...parameters].filter(([name]) => tlsParameters.has(name))),
  };
}

/** Names where a database is, for messages: hosts and name, without user and password. */
export function whereIs({ hosts, database }: DatabaseAddress): string {
  const list = hosts.map(({ host, port }) =>
    host === '' ? `localhost:${port || 5432}` : `${host}${port && `:${port}`}`,
  );
  return `PostgreSQL at ${list.join(',')}/${database}`;
}

/**
 * Writes the URL of one host, in the form that pg reads.
 * @param index of the host
 */
export function urlOfHost(address: DatabaseAddress, index: number): string {
  const { host, port } = address.hosts[index] ?? { host: '', port: '' };
  const { user, password, database, tls } = address;
  const secret = password === '' ? '' : `:${encodeURIComponent(password)}`;
  const who = user === '' ? '' : `${encodeURIComponent(user)}${secret}@`;
  const parameters = new URLSearchParams(tls);
  if (host.startsWith('/')) parameters.set('host', host);
  if (port !== '') parameters.set('port', port);
  const name = host.startsWith('/') ? 'localhost' : host;
  return `postgresql://${who}${name}/${encodeURIComponent(database)}?${parameters}`;
}

/** The URL of another database of the same server, on its first host. */
export function urlOfDatabase(url: string, database: string): string {
  return urlOfHost({ ...readDatabaseUrl(url), database }, 0);
}

function assertKnown(parameters: URLSearchParams): void {
  for (const [name, value] of parameters) {
    if (name === 'schema' && value !== 'public')
      throw new Error(
        'a URL without ?schema=: the tables are in the schema public of a database of their own',
      );
    if (name in settingsInstead)
      throw new Error(`a URL without ?${name}=: set ${settingsInstead[name]} instead`);
    if (!tlsParameters.has(name) && !ignoredParameters.has(name) && !readParameters.has(name))
      throw new Error(`a URL without the unknown parameter ?${/^\w{1,40}$/.test(name) ? name : '…'}=`);
  }
}

function hostsOf(authority: string, parameters: URLSearchParams): DatabaseHost[] {
  const named = parameters.get('host');
  const ports = (parameters.get('port') ?? '').split(',');
  const portAt = (index: number) => (ports.length === 1 ? ports[0] : ports[index]) ?? '';
  if (named !== null) return named.split(',').map((host, index) => ({ host, port: portAt(index) }));
  return authority.split(',').map((text, index) => {
    const [, host, port = portAt(index)] = hostForm.exec(text) ?? [];
    if (host === undefined) throw new Error('a URL whose hosts have the form host:port, separated by commas');
    return { host: decoded(host), port };
  });
}

function mustWrite(attrs: string | null, authority: string, parameters: URLSearchParams): boolean {
  if (attrs !== null && !['any', 'read-write', 'primary'].includes(attrs))
    throw new Error('a URL with target_session_attrs of read-write, primary or any: the server writes');
  const hasSeveral = (parameters.get('host') ?? authority).includes(',');
  return attrs === null ? hasSeveral : attrs !== 'any';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('a URL in which each % of user, password and name is written as %25');
  }
}
