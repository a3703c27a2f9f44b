// export: writing the results of an execution, or findings, to a file or to standard output, as they arrive.
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { type Action, type CommonOptions, type Context, oneOf, wordsOf } from '../context.js';
import { type ExitCode, exitCodes, failure, reasonOf, usageFault } from '../failure.js';
import { problemOf, version } from '../http.js';
import { addFilterOptions, type FilterOptions, filterOf } from './finding-filter.js';

const formats = ['SARIF', 'GITHUB', 'CSV', 'NDJSON', 'CYCLONEDX', 'OPENVEX'] as const;
const timeoutMs = 30 * 60_000;

interface ExportOptions extends CommonOptions, FilterOptions {
  format?: (typeof formats)[number];
  base?: string;
  author?: string;
  product?: string;
  out?: string;
}

/** Adds the command to the program. */
export function addExportCommand(program: Command, action: Action): void {
  const command = program
    .command('export [execution]')
    .description('Export the results of an execution, or findings where no execution is given')
    .option(
      '--format <format>',
      `${wordsOf(formats)} (sarif unless given); github is SARIF within the limits of GitHub code scanning, cyclonedx and openvex are VEX`,
      oneOf(formats),
    )
    .option(
      '--base <base>',
      'mark each result as new, unchanged or absent against a branch, or an execution by its id',
    )
    .option('--author <name>', 'author of a VEX')
    .option(
      '--product <id>',
      'product of a VEX, such as the package URL of an image; the target unless given',
    )
    .option('--out <file>', 'write to this file instead of standard output');
  addFilterOptions(command).action(action(run));
}

/** The path of the route that the options stand for. */
function pathOf(options: ExportOptions, id?: string): string {
  const { format = 'SARIF', base, author, product } = options;
  const filter = givenOf(filterOf(options));
  if (id !== undefined && filter.length > 0) throw usageFault('Options about findings need no execution');
  const query = new URLSearchParams([
    ['format', format.toLowerCase()],
    ...givenOf({ base, author, product }),
    ...filter,
  ]);
  return `api/v1/${id === undefined ? 'findings' : `executions/${encodeURIComponent(id)}`}/export?${query}`;
}

/** Parameters that have a value. */
function givenOf(values: object): string[][] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
}

async function run({ api, surroundings }: Context, options: ExportOptions, id?: string): Promise<ExitCode> {
  const url = new URL(pathOf(options, id), api.server);
  const get = async (refused?: string): Promise<Response> => {
    const token = await api.token(refused);
    const response = await fetch(url, {
      redirect: 'error',
      headers: { Authorization: `Bearer ${token}`, 'User-Agent': `sec-tester/${version}` },
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error: unknown) => {
      throw failure(`${api.server.origin} cannot be reached: ${reasonOf(error)}`, { code: 'UNREACHABLE' });
    });
    if (response.ok) return response;
    const body: unknown = await response.json().catch(() => ({}));
    const problem = problemOf({ status: response.status, headers: response.headers, body });
    if (problem.code === 'TOKEN_EXPIRED' && refused === undefined) return get(token);
    throw problem;
  };
  const { body } = await get();
  if (body === null) return exitCodes.ok;
  const target = options.out === undefined ? surroundings.stdout : createWriteStream(options.out);
  await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), target, {
    end: options.out !== undefined,
  }).catch((error: unknown) => {
    throw failure(`The export broke off, so it is not whole: ${reasonOf(error)}`);
  });
  return exitCodes.ok;
}
