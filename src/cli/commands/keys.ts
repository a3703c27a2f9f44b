// keys: API keys for CI jobs, runners and scripts. Signing in is in sign-in.ts.
import { type Command, InvalidArgumentError } from 'commander';
import { type Action, type CommonOptions, type Context, wholeNumber } from '../context.js';
import { type ExitCode, exitCodes, failure, usageFault } from '../failure.js';
import { plain } from '../output.js';
import { type ApiKey, queries } from '../queries.js';

/** The scopes that each use of a key needs. */
const presets = {
  ci: [
    'execution:read',
    'execution:create',
    'execution:run',
    'result:read',
    'project:read',
    'finding:read',
    'report:import',
  ],
  runner: ['execution:read', 'execution:run'],
  read: ['execution:read', 'result:read', 'project:read', 'finding:read'],
} as const;
type Preset = keyof typeof presets;

const dayMs = 86_400_000;

interface CreateOptions extends CommonOptions {
  name: string;
  preset?: Preset;
  scopes?: string[];
  project?: string;
  for?: string;
  days: number;
}

interface RotateOptions extends CommonOptions {
  overlap?: number;
}

interface ListOptions extends CommonOptions {
  for?: string;
}

/** Adds the commands to the program. */
export function addKeyCommands(program: Command, action: Action): void {
  const keys = program.command('keys').description('API keys that act as you, within their scopes');
  keys
    .command('create')
    .description('Make a key and print its secret, this once, to standard output')
    .requiredOption('--name <name>', 'what it is for, for example "nightly zap"')
    .option('--preset <preset>', presetText(), readPreset)
    .option('--scopes <scopes>', 'the scopes instead, separated by commas', (text) =>
      text.split(',').map(trim),
    )
    .option('--project <key>', 'the only project that it sees and changes')
    .option('--for <user>', 'service account that the key is for (only for admins); you unless given')
    .option('--days <days>', 'days until it ends', wholeNumber(1, 365), 90)
    .action(action(create));
  keys
    .command('list')
    .description('List your keys, newest first, without their secrets')
    .option('--for <user>', 'the keys of this user (only for admins)')
    .action(action(list));
  keys
    .command('rotate')
    .description(
      'Replace a key with one that has a new secret, and print the secret, only this once, to standard output',
    )
    .argument('<key>', 'its id, from keys list')
    .option(
      '--overlap <minutes>',
      'minutes for which the old key keeps working; a day by default',
      wholeNumber(0, 10_080),
    )
    .action(action(rotate));
  keys
    .command('revoke')
    .description('Revoke a key at once')
    .argument('<key>', 'its id, from keys list')
    .action(action(revoke));
}

async function create(context: Context, options: CreateOptions): Promise<ExitCode> {
  const { api, printer } = context;
  assertSignedIn(context);
  const { name, preset, project, days, for: serviceAccountId } = options;
  if ((preset === undefined) === (options.scopes === undefined))
    throw usageFault('Give either --preset or --scopes');
  const scopes = preset === undefined ? options.scopes : presets[preset];
  const expiresAt = new Date(Date.now() + days * dayMs).toISOString();
  // Once: a second key would be left over, with a secret that nobody has seen.
  const answer = await api.graphql<{ createApiKey: { secret: string; apiKey: ApiKey } }>(
    queries.createKey,
    { input: { name, scopes, project, expiresAt, serviceAccountId } },
    false,
  );
  return show(printer, answer.createApiKey);
}

/** Shows a new key: the secret alone goes to standard output. */
function show(printer: Context['printer'], { apiKey, secret }: { apiKey: ApiKey; secret: string }): ExitCode {
  if (printer.isJson) {
    printer.json({ apiKey, secret });
    return exitCodes.ok;
  }
  printer.note(`${apiKey.id}: ${plain(apiKey.name)}, until ${dayOf(apiKey.expiresAt)}`);
  printer.note(`Scopes: ${apiKey.scopes.join(', ')}`);
  printer.note('The secret follows and is not shown again. Keep it as SEC_TESTER_TOKEN.');
  printer.print(secret);
  return exitCodes.ok;
}

async function rotate(context: Context, { overlap }: RotateOptions, id: string): Promise<ExitCode> {
  assertSignedIn(context);
  assertId(id);
  // Once: a second one would find the key replaced, and its new secret would be lost.
  const answer = await context.api.graphql<{ rotateApiKey: { secret: string; apiKey: ApiKey } }>(
    queries.rotateKey,
    { input: { id, overlapMinutes: overlap } },
    false,
  );
  return show(context.printer, answer.rotateApiKey);
}

async function list(context: Context, { for: userId }: ListOptions): Promise<ExitCode> {
  const { api, printer } = context;
  assertSignedIn(context);
  const { apiKeys } =
    userId === undefined
      ? (await api.graphql<{ me: { apiKeys: ApiKey[] } }>(queries.keys)).me
      : (await api.graphql<{ user: { apiKeys: ApiKey[] } }>(queries.keysOf, { id: userId })).user;
  if (printer.isJson) {
    printer.json({ apiKeys });
    return exitCodes.ok;
  }
  printer.table(
    ['Key', 'Begins with', 'Ends', 'Last used', 'State', 'Name', 'Scopes'],
    apiKeys.map((key) => [
      ...[
        key.id,
        key.prefix,
        dayOf(key.expiresAt),
        key.lastUsedAt === null ? 'never' : dayOf(key.lastUsedAt),
      ],
      ...[stateOf(key), plain(key.name, 40), plain(key.scopes.join(' '), 80)],
    ]),
  );
  if (apiKeys.length === 0) printer.note('There are no keys. Create one with sec-tester keys create.');
  return exitCodes.ok;
}

async function revoke(context: Context, _options: CommonOptions, id: string): Promise<ExitCode> {
  const { api, printer } = context;
  assertSignedIn(context);
  assertId(id);
  const answer = await api.graphql<{ revokeApiKey: { apiKey: ApiKey } }>(queries.revokeKey, { id });
  const { apiKey } = answer.revokeApiKey;
  if (printer.isJson) printer.json({ apiKey });
  else printer.print(`Revoked ${apiKey.id}: ${plain(apiKey.name)}`);
  return exitCodes.ok;
}

function assertId(id: string): void {
  if (id.startsWith('stk_'))
    throw usageFault('Give the id of the key (keys list shows it), never its secret');
}

/** Keys manage no keys; the server would refuse them in words that do not say what to do. */
function assertSignedIn({ api }: Context): void {
  if (api.hasGivenKey)
    throw failure('An API key manages no keys: unset SEC_TESTER_TOKEN and sign in with sec-tester login', {
      code: 'FORBIDDEN',
    });
}

function stateOf({ revokedAt, expiresAt, isReplaced }: ApiKey): string {
  if (revokedAt !== null) return 'revoked';
  if (Date.parse(expiresAt) <= Date.now()) return 'expired';
  return isReplaced ? 'replaced' : 'active';
}

const dayOf = (moment: string) => moment.slice(0, 10);
const trim = (text: string) => text.trim();

function presetText(): string {
  const names = Object.entries(presets).map(([name, scopes]) => `${name} (${scopes.join(', ')})`);
  return `the scopes for a use: ${names.join('; ')}`;
}

function readPreset(text: string): Preset {
  if (!Object.hasOwn(presets, text))
    throw new InvalidArgumentError(`Expected ${Object.keys(presets).join(', ')}.`);
  return text as Preset;
}
