#!/usr/bin/env bash
# @microsoft/sarif-multitool 5.7.0, match-results-forward: three alike results stand on lines 6, 7 and 8; in the next run two lines
# were inserted above them, so they stand on lines 8, 9 and 10. Nothing came and nothing went, the order is the same.
# One would expect: three results matched, none new, none absent.
# Seen: the old result of line 8 is matched with the new one of line 8, which is the first of the three. The two remaining results
# of each run have the same rule, file, message and snippet; the tool calls them absent and new.
# It happens only where the lines moved by the distance between two alike results: one inserted line loses one result, three
# inserted lines lose none.
# Exits with 1 when the tool behaves differently.
set -euo pipefail

version=5.7.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error "@microsoft/sarif-multitool@$version"

cat > make.mjs <<'JS'
import { writeFileSync } from 'node:fs';
const result = (line) => ({
  ruleId: 'strcpy',
  level: 'error',
  message: { text: 'Does not check for buffer overflows.' },
  locations: [{ physicalLocation: {
    artifactLocation: { uri: 'src/a.c' },
    region: { startLine: line, startColumn: 5, endColumn: 18, snippet: { text: '    strcpy(a, b);' } },
  } }],
});
const log = (lines) => ({
  $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
  version: '2.1.0',
  runs: [{ tool: { driver: { name: 'tool', rules: [{ id: 'strcpy' }] } }, results: lines.map(result) }],
});
writeFileSync('before.sarif', JSON.stringify(log([6, 7, 8])));
for (const inserted of [1, 2, 3])
  writeFileSync(`after${inserted}.sarif`, JSON.stringify(log([6, 7, 8].map((line) => line + inserted))));
JS
node make.mjs

states() {
  npx --no-install sarif-multitool match-results-forward "after$1.sarif" -r before.sarif -o "out$1.sarif" --log ForceOverwrite > log.txt
  node -e '
    const { results } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8")).runs[0];
    const count = {};
    for (const { baselineState } of results) count[baselineState] = (count[baselineState] ?? 0) + 1;
    const is = (state) => `${count[state] ?? 0} ${state}`;
    console.log([(count.unchanged ?? 0) + (count.updated ?? 0) + " matched", is("new"), is("absent")].join(", "));
  ' "out$1.sarif"
}

npx --no-install sarif-multitool --version 2>&1 | grep -i multitool
for inserted in 1 2 3; do
  states "$inserted" | sed "s/^/$inserted inserted: /"
done | tee seen.txt
diff seen.txt - <<'SEEN'
1 inserted: 2 matched, 1 new, 1 absent
2 inserted: 1 matched, 2 new, 2 absent
3 inserted: 3 matched, 0 new, 0 absent
SEEN
