// Writes a SARIF log of any number of results, as a large scan has them: few rules, many files, messages with places.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

const rules = Array.from({ length: 200 }, (_, n) => ({
  id: `RULE-${n}`,
  shortDescription: { text: `Use of a dangerous function, kind ${n}` },
  fullDescription: {
    text: `A function of kind ${n} writes without regard to the size of its buffer. `.repeat(2),
  },
  properties: {
    tags: ['security', `external/cwe/cwe-${20 + (n % 700)}`],
    'security-severity': String(1 + (n % 9)),
  },
}));

/** @param {string} file @param {number} count */
export async function writeSarif(file, count) {
  const out = createWriteStream(file);
  const head = { driver: { name: 'BenchScanner', version: '1.0.0', rules } };
  out.write(`{"version":"2.1.0","runs":[{"tool":${JSON.stringify(head)},"results":[`);
  for (let n = 0; n < count; n += 1) {
    const line = 1 + ((n * 7) % 4000);
    const result = {
      ruleId: rules[n % rules.length].id,
      ruleIndex: n % rules.length,
      level: 'warning',
      message: { text: `The call copies ${n % 977} bytes into buf_${n} without a check of its size` },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: `src/module${n % 500}/part${n % 40}/file${n % 9973}.c` },
            region: {
              startLine: line,
              startColumn: 3,
              snippet: { text: `  strcpy(buf_${n}, source_${n % 977});` },
            },
          },
        },
      ],
    };
    if (!out.write(`${n === 0 ? '' : ','}${JSON.stringify(result)}`)) await once(out, 'drain');
  }
  out.end(']}]}');
  await once(out, 'finish');
}
