import { it, expect } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { sarif } from '../../../src/reports/formats/sarif/sarif.js';
import { createReportSource } from '../../../src/reports/read/source.js';
import { createNotes } from '../../../src/reports/notes.js';
it('x', async () => {
  const root='/work/shared/fixtures';
  const files=readdirSync(root,{recursive:true,encoding:'utf8'}).filter(f=>f.endsWith('.sarif'));
  for (const f of files) {
    const notes=createNotes(); let n=0; let err=''; let first: unknown;
    try { for await (const b of sarif.read(createReportSource(async function*(){ yield readFileSync(root+'/'+f); }, 1e9), notes)) { n+=b.length; first??=b[0]; } } catch(e) { err=String((e as Error).message) }
    console.log(f, n, notes.read, JSON.stringify([...notes.skipped]), notes.warningCount, JSON.stringify(notes.warnings.slice(0,2)), JSON.stringify(notes.facts), err, '\n', JSON.stringify(first)?.slice(0,500));
  }
  expect(1).toBe(1);
});
