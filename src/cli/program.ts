// The client's command line: its commands, options and exit codes. main.ts has the process.
import { Command, CommanderError } from 'commander';
import { addExecutionCommands } from './commands/execution.js';
import { addExportCommand } from './commands/export.js';
import { addFindingCommands } from './commands/findings.js';
import { addGateCommand } from './commands/gate.js';
import { addImportCommand } from './commands/import.js';
import { addKeyCommands } from './commands/keys.js';
import { addResultCommands } from './commands/results.js';
import { addSignInCommands } from './commands/sign-in.js';
import { type Action, createContext } from './context.js';
import { type ExitCode, exitCodes, failure, isFailure, reasonOf } from './failure.js';
import { version } from './http.js';
import { createPrinter } from './output.js';
import { addProjectCommands } from './project/projects.js';
import type { Surroundings } from './surroundings.js';

const help = `
Environment:
  SEC_TESTER_URL       the server, instead of --server
  SEC_TESTER_TOKEN     an API key (stk_…) or access token, instead of a sign-in: for CI
  SEC_TESTER_ID_TOKEN, SEC_TESTER_ID_TOKEN_FILE    the ID token of a CI job or workload, to exchange for a token; in
                       GitHub Actions with the permission id-token: write neither is needed
  SEC_TESTER_AUDIENCE  the audience to ask for (default: the server's address)
  SEC_TESTER_EMAIL, SEC_TESTER_PASSWORD, SEC_TESTER_CODE    for login
  XDG_CONFIG_HOME      where sign-ins are kept, in sec-tester/credentials.json (default ~/.config)
  NO_COLOR             no colours
  NODE_EXTRA_CA_CERTS  certificates of a private authority to trust

Exit codes:
  0  all is well: done, completed, passed
  1  not passed: results at or above --fail-on, findings beyond a limit, a failed import, or an execution that did not complete
  2  the command line is wrong
  3  it could not be found out: server, network, sign-in or rights`;

/**
 * Runs one command line.
 * @param args the words after the program's name
 * @returns the exit code
 */
export async function runCli(args: string[], surroundings: Surroundings): Promise<ExitCode> {
  const { stdout, stderr } = surroundings;
  let exitCode: ExitCode = exitCodes.ok;
  const action: Action =
    (work) =>
    async (...given) => {
      // Commander gives the arguments, then the options, then the command.
      const command = given.at(-1) as Command;
      const argument = given.length > 2 ? given[0] : undefined;
      const context = await createContext(surroundings, command.optsWithGlobals());
      exitCode = await work(context, command.optsWithGlobals(), argument as string);
    };
  const program = new Command('sec-tester')
    .description('The command line of SEC-TESTER API: runs, watches and judges security tests.')
    .version(version)
    .option(
      '--server <url>',
      'the server (or SEC_TESTER_URL; the one signed in to last; http://localhost:4000)',
    )
    .option('--json', 'print JSON, for programs')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    })
    .showHelpAfterError('Try --help.')
    .exitOverride()
    .addHelpText('after', help);
  addExecutionCommands(program, action);
  addGateCommand(program, action);
  addImportCommand(program, action);
  addResultCommands(program, action);
  addFindingCommands(program, action);
  addExportCommand(program, action);
  addProjectCommands(program, action);
  addSignInCommands(program, action);
  addKeyCommands(program, action);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const known = isFailure(error) ? error : failure(reasonOf(error));
    createPrinter(surroundings, args.includes('--json')).fault(known);
    return known.exitCode;
  }
}
