// A small real test module: checks the security headers, cookies, CORS and TLS redirect of a URL and records the run.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { exitCodes, Failure, plain, readOptions, reasonOf, run, signIn } from './client.mjs';
import { checkCookies, checkCors, checkHeaders, checkRedirect } from './lib/header-checks.mjs';
import { serve } from './lib/runner.mjs';

const tool = { tool: 'header-scan', toolVersion: '1.0.0' };
const timeoutMs = 15_000;
const maxRedirects = 5;
const foreignOrigin = 'https://origin-check.example';

const usage = `Checks the security headers, cookies, CORS and TLS redirect of a URL and records what it finds.

Usage: node examples/header-scan.mjs [options] URL
       node examples/header-scan.mjs [options] runner     (takes DAST executions that wait, until it is stopped)

Options:
  --runner NAME        what the runner is called; the host's name by default
  --branch NAME        the branch that is deployed there
  --commit SHA         and the commit`;

/** @typedef {import('./lib/header-checks.mjs').Page} Page */
/** @typedef {import('./lib/header-checks.mjs').Finding} Finding */

await run(async () => {
  const text = { type: /** @type {const} */ ('string') };
  const options = readOptions(usage, { branch: text, commit: text, runner: text });
  const isRunner = options.argument === 'runner';
  const target = isRunner ? '' : readTarget(options.argument);
  const api = await signIn(options);
  try {
    if (!isRunner) return await scan(api, target, options);
    await serve(api, { kinds: ['DAST'], runner: options.runner ?? hostname() }, (execution) =>
      perform(api, execution.id, execution.target),
    );
    return exitCodes.done;
  } finally {
    await api.signOut();
  }
});

/** @param {string} text */
function readTarget(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Failure(`${text} is not an http:// or https:// URL`, { exitCode: exitCodes.usage });
  if (url.username !== '' || url.password !== '')
    throw new Failure('The URL must not hold credentials: it would be recorded.', {
      exitCode: exitCodes.usage,
    });
  url.hash = '';
  return url.href;
}

/**
 * The run from creation to its end. Whatever goes wrong, the execution does not stay RUNNING.
 * @param {import('./client.mjs').Api} api @param {string} target @param {Record<string, any>} options
 * @returns {Promise<number>} exit code
 */
async function scan(api, target, { branch, commit }) {
  const input = {
    ...{ name: `Headers of ${new URL(target).host}`, target: target.slice(0, 2000), kind: 'DAST', ...tool },
    ...{ branch, commitSha: commit, idempotencyKey: `header-scan:${randomUUID()}` },
  };
  await assertMayRun(api);
  const { createExecution } = await api.graphql(
    'mutation Create($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id } } }',
    { input },
  );
  const { id } = createExecution.execution;
  await api.graphql('mutation Start($id: ID!) { startExecution(id: $id) { execution { id } } }', { id });
  return perform(api, id, target);
}

/**
 * Refuses a key that may create executions but not run them, before one is left behind that waits for ever.
 * @param {import('./client.mjs').Api} api
 */
async function assertMayRun(api) {
  const id = 'exe_00000000-0000-7000-8000-000000000000'; // nobody's
  await api
    .graphql('mutation Start($id: ID!) { startExecution(id: $id) { execution { id } } }', { id })
    .catch((/** @type {any} */ error) => {
      if (error.code !== 'NOT_FOUND') throw error;
    });
}

/**
 * Does the work of an execution that runs, to its end.
 * @param {import('./client.mjs').Api} api @param {string} id @param {string} target
 * @returns {Promise<number>} exit code
 */
async function perform(api, id, target) {
  console.log(`Execution ${plain(id)}: ${plain(target)}`);
  try {
    const url = readTarget(target);
    const findings = await findAll(url, (progress, phase) => report(api, id, progress, phase));
    await record(api, id, findings);
    const { completeExecution } = await api.graphql(
      'mutation Complete($id: ID!) { completeExecution(id: $id) { execution { severityCounts { critical high medium low info total } } } }',
      { id },
    );
    const { total, ...counts } = completeExecution.execution.severityCounts;
    const parts = Object.entries(counts).map(([severity, count]) => `${count} ${severity}`);
    console.log(`Completed: ${total} findings (${parts.join(', ')})`);
    return exitCodes.done;
  } catch (error) {
    return end(api, id, error);
  }
}

/**
 * Tells where the run is; the answer tells whether someone has asked it to stop.
 * @param {import('./client.mjs').Api} api @param {string} executionId @param {number} progress @param {string} phase
 */
async function report(api, executionId, progress, phase) {
  const { reportProgress } = await api.graphql(
    'mutation Report($input: ReportProgressInput!) { reportProgress(input: $input) { execution { status } } }',
    { input: { executionId, progress, phase } },
  );
  if (reportProgress.execution.status === 'CANCEL_REQUESTED')
    throw new Failure('Stopped: someone asked to cancel the execution.', { code: 'CANCEL_REQUESTED' });
  console.log(`[${String(progress).padStart(3)} %] ${phase}`);
}

/**
 * The scan itself.
 * @param {string} target
 * @param {(progress: number, phase: string) => Promise<void>} tell
 * @returns {Promise<Finding[]>}
 */
async function findAll(target, tell) {
  await tell(5, 'Fetching the page');
  const pages = await follow(target);
  const page = /** @type {Page} */ (pages.at(-1));
  await tell(40, `Checking headers and cookies of ${page.url}`);
  const findings = [...pages.slice(0, -1).flatMap(checkCookies), ...checkHeaders(page)];
  const { protocol, port } = new URL(page.url);
  if (protocol === 'https:' && port === '' && !pages[0]?.url.startsWith('http:')) {
    await tell(60, 'Checking the way from plain HTTP to HTTPS');
    const plain = await get(page.url.replace(/^https:/, 'http:')).catch(() => undefined); // nothing there: good
    if (plain !== undefined) findings.push(...checkRedirect(plain));
  }
  await tell(80, 'Checking what other origins may read');
  findings.push(...checkCors(await get(page.url, { Origin: foreignOrigin }), foreignOrigin));
  await tell(95, `Recording ${findings.length} findings`);
  return findings;
}

/** The page and every redirect on the way to it. @param {string} url @returns {Promise<Page[]>} */
async function follow(url) {
  const pages = [await get(url)];
  for (;;) {
    const last = /** @type {Page} */ (pages.at(-1));
    const location = last.status >= 300 && last.status < 400 ? last.headers.get('location') : null;
    if (location === null) return pages;
    const next = URL.canParse(location, last.url) ? new URL(location, last.url) : undefined;
    if (next === undefined || !/^https?:$/.test(next.protocol)) return pages;
    if (pages.length > maxRedirects) throw new Failure(`${url} redirects more than ${maxRedirects} times`);
    pages.push(await get(next.href));
  }
}

/** @param {string} url @param {Record<string, string>} [headers] @returns {Promise<Page>} */
async function get(url, headers = {}) {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { 'User-Agent': `${tool.tool}/${tool.toolVersion}`, Accept: 'text/html,*/*', ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return { url, status: response.status, headers: response.headers };
  } catch (error) {
    throw new Failure(`${url} cannot be fetched: ${reasonOf(error)}`);
  }
}

/** @param {import('./client.mjs').Api} api @param {string} executionId @param {Finding[]} results */
async function record(api, executionId, results) {
  if (results.length === 0) return;
  await api.graphql('mutation Add($input: AddResultsInput!) { addResults(input: $input) { added } }', {
    input: { executionId, batchKey: 'findings', results },
  });
}

/**
 * Ends the execution as the error asks: a wish to cancel is acknowledged, anything else fails it.
 * @param {import('./client.mjs').Api} api @param {string} id @param {any} error
 * @returns {Promise<number>} exit code
 */
async function end(api, id, error) {
  if (error.code === 'CANCEL_REQUESTED') {
    await api.graphql('mutation Acknowledge($id: ID!) { cancelExecution(id: $id) { execution { id } } }', {
      id,
    });
  } else if (error.code !== 'EXECUTION_FINISHED') {
    await api
      .graphql(
        'mutation Fail($id: ID!, $why: String!) { failExecution(id: $id, errorMessage: $why) { execution { id } } }',
        { id, why: plain(reasonOf(error)).slice(0, 10_000) },
      )
      .catch((/** @type {any} */ second) =>
        console.error(`The execution could not be failed: ${plain(second.message)}`),
      );
    throw error;
  }
  console.error(plain(error.message));
  return exitCodes.cancelled;
}
