// The client's process: environment and streams in, exit code out. What it does is in program.ts.
import { runCli } from './program.js';

// Whoever reads the output may stop reading: `sec-tester results | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
const { env, stdin, stdout, stderr } = process;
process.exitCode = await runCli(process.argv.slice(2), { env, stdin, stdout, stderr });
