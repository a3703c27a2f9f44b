// F18: each hook throws. They are broken from within, by a test; this plays it and tells how it went.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export const title = 'an exception in each hook: authentication, limits, validation, logger, event bus';

export async function run(scene, figures) {
  const child = spawn(
    'npm',
    ['test', '--', 'tests/security/system/faults', '--verbose', '--silent', '--json'],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  scene.later(() => child.kill());
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  const line = text.split('\n').find((candidate) => candidate.startsWith('{"num'));
  const { testResults } = JSON.parse(line ?? '{"testResults":[]}');
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  for (const { fullName, status } of tests) figures.is(fullName, status, 'passed');
  figures.atLeast('Tests', tests.length, 5);
}
