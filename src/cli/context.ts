// Shared by the commands: the server, the sign-ins, the API as the caller, parsers of options. Contains no command.
import { InvalidArgumentError } from 'commander';
import { type CredentialStore, createCredentialStore, credentialFile } from './credentials.js';
import type { ExitCode } from './failure.js';
import { isReadableOnTheWay, readServer } from './http.js';
import { createPrinter, type Printer } from './output.js';
import { type Execution, type Severity, severities } from './queries.js';
import { type Api, createApi } from './session.js';
import type { Surroundings } from './surroundings.js';
import { createWorkloadSignIn, workloadOf } from './workload.js';

const defaultServer = 'http://localhost:4000';

/** Options that every command takes. */
export interface CommonOptions {
  server?: string;
  json?: boolean;
}

/** Context of a command. */
export interface Context {
  surroundings: Surroundings;
  printer: Printer;
  store: CredentialStore;
  server: URL;
  api: Api;
}

/** Turns a command's work into what Commander calls. */
export type Action = <Options extends CommonOptions>(
  work: (context: Context, options: Options, argument: string) => Promise<ExitCode>,
) => (...args: unknown[]) => Promise<void>;

/** Reads the environment and the kept sign-ins; warns of a server whose traffic others can read. */
export async function createContext(surroundings: Surroundings, options: CommonOptions): Promise<Context> {
  const { env } = surroundings;
  const printer = createPrinter(surroundings, options.json === true);
  const store = createCredentialStore(credentialFile(env));
  const given = options.server ?? (env.SEC_TESTER_URL || undefined);
  const server = readServer(given ?? (await store.read()).current ?? defaultServer);
  if (isReadableOnTheWay(server))
    printer.note(
      `Warning: ${server.origin} is plain http: passwords and tokens can be read on the way. Use https.`,
    );
  const workload = workloadOf(env);
  const api = createApi(server, store, {
    token: env.SEC_TESTER_TOKEN || undefined,
    workload: workload && createWorkloadSignIn(server, store, workload, env),
  });
  return { surroundings, printer, store, server, api };
}

/** One of the words, in any case, as the API spells it. */
export const oneOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Word => {
    const word = words.find((known) => known === text.trim().toUpperCase().replaceAll('-', '_'));
    if (word === undefined) throw new InvalidArgumentError(`Expected ${wordsOf(words)}.`);
    return word;
  };

/** Several of the words, separated by commas. */
export const someOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Word[] =>
    text.split(',').map(oneOf(words));

/** The words in lower case, separated by commas, for help and messages. */
export const wordsOf = (words: readonly string[]) => words.map((word) => word.toLowerCase()).join(', ');

/** A whole number within limits. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const number = /^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!(number >= least && number <= most))
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    return number;
  };

/** Numbers of CWEs, separated by commas, with or without their prefix; repeating the option adds to them. */
export function cwesOf(text: string, before: number[] = []): number[] {
  const parse = wholeNumber(1, 99_999);
  return [...before, ...text.split(',').map((part) => parse(part.trim().replace(/^CWE-/i, '')))];
}

/** One value each time the option is given: names may have commas. */
export const each = (text: string, before: string[] = []) => [...before, text];

/** A day, which begins at midnight UTC, or a moment of RFC 3339. */
export function moment(text: string): string {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const given = isDay ? `${text}T00:00:00Z` : text;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(given) || Number.isNaN(Date.parse(given)))
    throw new InvalidArgumentError(
      'Expected a day or a time, for example 2026-01-31 or 2026-01-31T08:00:00Z.',
    );
  return given;
}

/** Counts the results of this severity or above. */
export function countAtOrAbove({ severityCounts }: Execution, floor: Severity): number {
  return severities
    .slice(severities.indexOf(floor))
    .reduce((sum, name) => sum + severityCounts[name.toLowerCase() as Lowercase<Severity>], 0);
}
