// The client's process: passes environment and streams to program.ts and sets the exit code.
import { runCli } from './program.js';

// The reader of the output may close it early: `sec-tester results | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
const { env, stdin, stdout, stderr } = process;
process.exitCode = await runCli(process.argv.slice(2), { env, stdin, stdout, stderr });
