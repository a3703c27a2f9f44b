// Sends a SARIF file's results to the API, one execution per run; what SARIF means is read in lib/sarif.mjs.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { exitCodes, Failure, readOptions, reasonOf, run, signIn } from './client.mjs';
import { readSarif } from './lib/sarif.mjs';

const batch = { results: 500, bytes: 4_000_000 };

const usage = `Records the results of a SARIF 2.1.0 file, one execution per run.
The same file is recorded once: a second call adds nothing, and one after a broken call goes on where it stopped.

Usage: node examples/record-sarif.mjs [options] FILE

Options:
  --kind KIND          DAST, SAST, SCA, SECRETS, IAC, CONTAINER, MANUAL or OTHER (guessed from the tool's name)
  --target TEXT        what was tested     (the log's repository, or the file's name)
  --name TEXT          name of the execution
  --branch NAME        the branch          (the log's own)
  --commit SHA         the commit          (the log's own)
  --again              record it once more`;

/** Tool names → kind; static analysis is what SARIF was made for. @type {[RegExp, string][]} */
const kinds = [
  [/gitleaks|trufflehog|secret/i, 'SECRETS'],
  [/trivy|grype|clair|anchore/i, 'CONTAINER'],
  [/checkov|tfsec|kics|terrascan/i, 'IAC'],
  [/dependency|osv|snyk open source|npm audit/i, 'SCA'],
  [/zap|nuclei|burp|dastardly/i, 'DAST'],
];

/** @typedef {import('./lib/sarif.mjs').SarifRun} SarifRun */
/** @typedef {import('./client.mjs').Api} Api */

await run(async () => {
  const text = { type: /** @type {const} */ ('string') };
  const own = { kind: text, target: text, name: text, branch: text, commit: text };
  const options = readOptions(usage, { ...own, again: { type: 'boolean' } });
  const runs = await readFileOf(options.argument);
  if (runs.length === 0) {
    console.log(`${options.argument} holds no runs: nothing to record.`);
    return exitCodes.done;
  }
  const api = await signIn(options);
  try {
    let worst = exitCodes.done;
    for (const [index, sarifRun] of runs.entries()) {
      worst = Math.max(worst, await recordRun(api, sarifRun, options, index));
    }
    return worst;
  } finally {
    await api.signOut();
  }
});

/** @param {string} file @returns {Promise<SarifRun[]>} */
async function readFileOf(file) {
  try {
    const bytes = await readFile(file);
    return readSarif(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const isEncoding = /** @type {any} */ (error).code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
    throw new Failure(`${file} cannot be recorded: ${isEncoding ? 'it is not UTF-8 text' : reasonOf(error)}`);
  }
}

/**
 * One run: creates or finds its execution, adds its results in batches, ends it.
 * @param {Api} api @param {SarifRun} sarifRun @param {Record<string, any>} options @param {number} index
 * @returns {Promise<number>} exit code
 */
async function recordRun(api, sarifRun, options, index) {
  const { results, suppressed, notFindings, failure } = sarifRun;
  const skipped = [
    ...(suppressed > 0 ? [`${suppressed} suppressed`] : []),
    ...(notFindings > 0 ? [`${notFindings} passed, fixed or not applicable`] : []),
  ];
  const note = skipped.length > 0 ? ` (left out: ${skipped.join(', ')})` : '';
  console.log(
    `${sarifRun.tool} ${sarifRun.version ?? ''}: ${results.length} results${note}`.replace(' :', ':'),
  );
  const { createExecution } = await api.graphql(
    'mutation Create($input: CreateExecutionInput!) { createExecution(input: $input) { execution { id status } } }',
    { input: toExecution(sarifRun, options, index) },
  );
  const { id, status } = createExecution.execution;
  if (status === 'COMPLETED') {
    console.log(`${id} holds this run already: nothing to do. Use --again to record it once more.`);
    return exitCodes.done;
  }
  if (!['QUEUED', 'RUNNING', 'CANCEL_REQUESTED'].includes(status)) {
    throw new Failure(`${id} holds this run and is ${status}. Use --again to record it once more.`);
  }
  if (status === 'QUEUED') await call(api, 'startExecution', id);
  const isStopped = await addAll(api, id, results);
  if (isStopped) return exitCodes.cancelled;
  if (failure !== undefined) {
    await fail(api, id, `The tool did not run to its end: ${failure}`);
    console.error(`${id} is FAILED, with what was found until then: ${failure}`);
    return exitCodes.failed;
  }
  const { severityCounts } = await call(api, 'completeExecution', id);
  const { total, ...counts } = severityCounts;
  const parts = Object.entries(counts).map(([severity, count]) => `${count} ${severity}`);
  console.log(`${id} completed: ${total} results (${parts.join(', ')})`);
  return exitCodes.done;
}

/** @param {SarifRun} sarifRun @param {Record<string, any>} options @param {number} index */
function toExecution(sarifRun, options, index) {
  const { tool, version, repository, automationId } = sarifRun;
  const file = basename(resolve(options.argument));
  const input = {
    name: (options.name ?? `${tool}: ${automationId ?? file}`).slice(0, 200),
    target: options.target ?? repository ?? file,
    kind: options.kind?.toUpperCase() ?? kinds.find(([pattern]) => pattern.test(tool))?.[1] ?? 'SAST',
    ...{ tool, toolVersion: version },
    branch: options.branch ?? sarifRun.branch,
    commitSha: options.commit ?? sarifRun.commit,
    parameters: { source: 'sarif', file, ...(automationId !== undefined && { automationId }) },
  };
  const content = JSON.stringify([input, index, sarifRun, options.again ? Date.now() : 0]);
  return { ...input, idempotencyKey: `sarif:${createHash('sha256').update(content).digest('hex')}` };
}

/**
 * Adds results batch by batch; keys name the batches, so that repeating one adds nothing.
 * @param {Api} api @param {string} executionId @param {Record<string, any>[]} results
 * @returns {Promise<boolean>} whether someone asked to cancel
 */
async function addAll(api, executionId, results) {
  let done = 0;
  for (const [index, part] of batchesOf(results).entries()) {
    try {
      const { addResults } = await api.graphql(
        'mutation Add($input: AddResultsInput!) { addResults(input: $input) { added duplicates } }',
        { input: { executionId, batchKey: `batch-${index}`, results: part } },
      );
      done += part.length;
      const progress = Math.floor((done / results.length) * 99);
      const { reportProgress } = await api.graphql(
        'mutation Report($input: ReportProgressInput!) { reportProgress(input: $input) { execution { status } } }',
        { input: { executionId, progress, phase: `Recorded ${done} of ${results.length} results` } },
      );
      const { added, duplicates } = addResults;
      console.log(`[${String(progress).padStart(3)} %] ${added} added, ${duplicates} known already`);
      if (reportProgress.execution.status !== 'CANCEL_REQUESTED') continue;
      await call(api, 'cancelExecution', executionId);
      console.error('Stopped: someone asked to cancel the execution.');
      return true;
    } catch (error) {
      // What the API refuses, it will refuse again; what did not reach it can go on with another call.
      const { code, message } = /** @type {Failure} */ (error);
      if (code === 'UNREACHABLE' || code === 'UNAVAILABLE' || code === 'EXECUTION_FINISHED') throw error;
      await fail(api, executionId, message).catch(() => {});
      throw error;
    }
  }
  return false;
}

/** At most 500 results and 4 MB each. @param {Record<string, any>[]} results */
function batchesOf(results) {
  /** @type {Record<string, any>[][]} */
  const batches = [];
  let size = Number.POSITIVE_INFINITY;
  for (const result of results) {
    const bytes = Buffer.byteLength(JSON.stringify(result));
    const last = batches.at(-1);
    if (last === undefined || last.length >= batch.results || size + bytes > batch.bytes) {
      batches.push([result]);
      size = bytes;
    } else {
      last.push(result);
      size += bytes;
    }
  }
  return batches;
}

/** A mutation that moves the execution on. @param {Api} api @param {string} mutation @param {string} id */
async function call(api, mutation, id) {
  const data = await api.graphql(
    `mutation Move($id: ID!) { ${mutation}(id: $id) { execution { severityCounts { critical high medium low info total } } } }`,
    { id },
  );
  return data[mutation].execution;
}

/** @param {Api} api @param {string} id @param {string} why */
function fail(api, id, why) {
  return api.graphql(
    'mutation Fail($id: ID!, $why: String!) { failExecution(id: $id, errorMessage: $why) { execution { id } } }',
    { id, why: why.slice(0, 10_000) },
  );
}
