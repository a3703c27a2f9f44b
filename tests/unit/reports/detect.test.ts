// Detection of formats: by content alone, with an error that names what an unknown report looks like.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { createNotes } from '../../../src/reports/notes.js';
import { createReportSource } from '../../../src/reports/read/source.js';
import { openReport } from '../../../src/reports/read-report.js';

const sourceOf = (bytes: Uint8Array | string) =>
  createReportSource(async function* () {
    yield typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  }, 10_000_000);

const long = 'x'.repeat(100_000);

describe('an unnamed report', () => {
  it.each<[string, string]>([
    ['SARIF', `{"runs":[{"results":[{"message":{"text":"${long}"}}]}],"version":"2.1.0"}`],
    ['BANDIT', `{"errors":[],"generated_at":"x","metrics":{"_totals":{},"${long}":{}},"results":[]}`],
    ['GRYPE', `{"matches":[{"vulnerability":{"id":"CVE-2030-1","description":"${long}"}}],"descriptor":{}}`],
    ['SEMGREP', `{"results":[{"check_id":"a","extra":{"lines":"${long}"}}],"errors":[]}`],
    ['ESLINT', `[{"filePath":"a","sourceContent":"${long}","messages":[]}]`],
    ['GITLEAKS', `[{"RuleID":"a","Description":"a","Match":"${long}","Secret":"a","File":"a"}]`],
    ['CYCLONEDX', `{"bomFormat":"CycloneDX","components":[{"name":"${long}"}],"vulnerabilities":[]}`],
    ['NUCLEI', `{"template-id":"a","info":{"name":"a","severity":"low"},"request":"${long}"}`],
    ['JUNIT', `<?xml version="1.0"?><!-- ${long.slice(0, 60_000)} --><testsuites/>`],
  ])('of %s is recognised by the first 64 KiB', async (format, text) => {
    expect((await openReport(sourceOf(text), undefined)).format).toBe(format);
  });

  it('of flawfinder is SARIF and is read from its beginning', async () => {
    const bytes = readFileSync(new URL('../../fixtures/reports/flawfinder.sarif', import.meta.url));
    const { format, read } = await openReport(sourceOf(gzipSync(bytes)), undefined);
    const notes = createNotes();
    let count = 0;
    for await (const batch of read(notes)) count += batch.length;
    expect([format, count]).toEqual(['SARIF', 19]);
  });

  it.each([
    ['nothing', '', 'it is empty'],
    ['an empty list', '[]', 'it is an empty list'],
    ['null', 'null', 'it is the JSON value null'],
    ['an unknown object', '{"b": 1, "a": {"c": 2}}', 'it is JSON with the keys b, a'],
    ['broken JSON', '{"b": nope}', 'no valid JSON'],
    ['SPDX', '{"spdxVersion": "SPDX-2.3"}', 'it looks like SPDX'],
    ['Checkstyle', '<?xml version="1.0"?><checkstyle version="8"/>', 'it looks like Checkstyle XML'],
    ['a web page', '<!DOCTYPE html><html><body>Not found</body></html>', 'it looks like an HTML page'],
    ['unknown XML', '<things><thing/></things>', 'root element <things>'],
    ['broken XML', '<a b=1>', 'is no valid XML'],
    ['a PDF', '%PDF-1.7 …', 'a PDF document'],
    ['CSV without known columns', 'name,size\na,1', 'CSV with the columns name, size'],
    ['prose', 'Everything is fine.', 'neither JSON nor XML nor CSV'],
  ])('that is %s is refused by its appearance', async (_name, text, message) => {
    await expect(openReport(sourceOf(text), undefined)).rejects.toThrow(message);
  });
});
