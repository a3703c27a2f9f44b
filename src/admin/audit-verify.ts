// The command line that verifies the audit trail: its options and output; features/audit/verify.ts has the checks.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Env, loadConfig } from '../config/load.js';
import { readAuditHead } from '../features/audit/audit-head.js';
import { lastNumberGiven, type Query, type Verdict, verifyChain } from '../features/audit/verify.js';
import { withDatabase } from './with-database.js';

const USAGE = `Usage: audit:verify [--expect NUMBER:HASH] [--after NUMBER:HASH] [--unsealed-max SECONDS]
  --expect        a seal known from elsewhere (the log, an earlier verification) that must exist;
                  by default the last one in AUDIT_HEAD_FILE, if that is set
  --after         the last seal of an archived part: the chain continues from it
  --unsealed-max  events older than this must be sealed (default 300)
The database is DATABASE_URL, or without it the embedded one in DATA_DIR. With AUDIT_SEAL_KEY every seal must be
signed with it. Exit code 0: nothing is wrong; 1: something is wrong; 2: the trail could not be verified.`;

const SETTINGS_READ = [
  'DATABASE_URL',
  'DATABASE_URL_FILE',
  'DATA_DIR',
  'AUDIT_SEAL_KEY',
  'AUDIT_SEAL_KEY_FILE',
  'AUDIT_HEAD_FILE',
];

/**
 * Verifies the trail and prints the verdict.
 * @param args the words after the program's name
 * @param env names to text, usually the process's own
 * @param print takes the text, one or more lines
 * @returns the exit code: 0 when nothing is wrong, 1 when something is, 2 when it could not be found out
 */
export async function verifyAudit(
  args: string[],
  env: Env,
  print: (text: string) => void,
): Promise<0 | 1 | 2> {
  try {
    const { values } = parseArgs({
      args,
      options: {
        expect: { type: 'string' },
        after: { type: 'string' },
        'unsealed-max': { type: 'string', default: '300' },
      },
    });
    const unsealedMaxSeconds = Number(values['unsealed-max']);
    if (!(unsealedMaxSeconds >= 0)) throw new Error(`--unsealed-max: a number of seconds was expected`);
    const config = loadConfig(Object.fromEntries(SETTINGS_READ.map((name) => [name, env[name]])));
    const head = config.auditHeadFile === undefined ? undefined : await readAuditHead(config.auditHeadFile);
    const options = {
      key: config.auditSealKey,
      expect: values.expect ?? (head && `${head.seal}:${head.hash}`),
      after: values.after,
      unsealedMaxSeconds,
    };
    const verdict = await withDatabase(config, async (client) => {
      const query: Query = async (text, given) => (await client.query(text, given)).rows;
      const lastGiven = await lastNumberGiven(query);
      // One picture of the database, however long it takes; nothing is written.
      await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      return verifyChain(query, { ...options, lastGiven });
    });
    report(verdict, print);
    return verdict.faults.length > 0 ? 1 : 0;
  } catch (error) {
    print(`Not verified: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}

function report(
  { faults, notes, seals, events, unsealed, head }: Verdict,
  print: (text: string) => void,
): void {
  for (const fault of faults) print(`WRONG  ${fault}`);
  for (const note of notes) print(`note   ${note}`);
  print(`${events} events under ${seals} seals, ${unsealed} not sealed yet.`);
  if (head !== undefined) print(`Last seal: ${head}`);
  if (faults.length > 0) print('The audit trail was tampered with.');
  else print(seals === 0 ? 'There is nothing to verify.' : 'The audit trail is whole.');
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await verifyAudit(process.argv.slice(2), process.env, console.log);
}
