// F16: nowhere to write the log: a full disk under LOG_FILE, a full disk under stdout, a closed stdout; then the audit trail.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failuresOf, tally } from './kit/figures.mjs';
import { call, requests } from './kit/scene.mjs';
import { sleep } from './kit/time.mjs';

const breakAudit = `CREATE FUNCTION break_audit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'could not extend file: no space left' USING ERRCODE = 'disk_full'; END $$;
  CREATE TRIGGER break_audit BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION break_audit()`;

export const title = 'log disk full, stdout closed';

export async function run(scene, figures) {
  const full = mountSmall(scene);
  const ways = {
    'stdout on a full disk': { stdout: openSync('/dev/full', 'w') },
    'stdout closed': { stdout: 'pipe' },
    ...(full !== undefined && { 'LOG_FILE on a full disk': { env: { LOG_FILE: join(full, 'api.log') } } }),
  };
  if (full === undefined)
    figures.note('LOG_FILE on a full disk', 'left out: it needs root to mount a small disk');
  for (const [name, how] of Object.entries(ways)) {
    const server = await scene.instance(how);
    if (how.stdout === 'pipe') server.child().stdout.destroy();
    const pid = server.pid();
    const { accessToken: token } = await scene.signIn(server);
    const load = scene.load('closed', {
      urls: [server.url],
      token,
      kinds: ['list', 'write', 'me'],
      connections: 8,
    });
    await load.ready;
    await sleep(5000);
    const samples = await load.stop();
    const free =
      how.env === undefined ? '' : `, ${statfsSync(full).bavail * statfsSync(full).bsize} bytes free`;
    figures.note(`${name}${free}`, tally(samples));
    figures.is('… failed', failuresOf(samples).length, 0);
    figures.is('… the same process', server.isRunning() && server.pid() === pid, true);
    const started = performance.now();
    server.signal('SIGTERM');
    const { code, signal } = await server.ended();
    figures.is('… stops with', signal ?? code, 0);
    figures.atMost('… within', performance.now() - started, 10_000, 'ms');
  }

  const { sql } = await scene.postgres();
  const { server, token } = await scene.signedIn();
  const count = async () => (await sql('SELECT count(*)::int AS n FROM test_executions'))[0].n;
  const before = await count();
  await sql(breakAudit);
  const writes = await Promise.all(Array.from({ length: 50 }, () => call(server.url, requests.write(token))));
  const reads = await Promise.all(Array.from({ length: 50 }, () => call(server.url, requests.list(token))));
  const signIn = await call(
    server.url,
    requests.login(undefined, { email: 'admin@faults.test', password: 'no such password' }),
  );
  const after = await count();
  await sql('DROP TRIGGER break_audit ON audit_events');
  const again = await call(server.url, requests.write(token));
  figures.note('Audit trail full: 50 audited writes', tally(writes));
  figures.is('… that were done all the same', after - before, 0);
  figures.is(
    '… that were told so',
    writes.filter(({ status, code }) => status !== 503 || code !== 'UNAVAILABLE').length,
    0,
  );
  figures.is('… sign-in', signIn.status, 503);
  figures.is('… reads that failed, of 50', failuresOf(reads).length, 0);
  figures.is('… a write once there is room', again.status, 200);
}

/** A disk of 64 KiB; undefined where it cannot be mounted. */
function mountSmall(scene) {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-faults-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  scene.later(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}
