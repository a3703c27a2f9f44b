#!/usr/bin/env bash
# Biome 2.6.8: one run over one file whose folder has a blank in its name, once with --reporter=gitlab and once with --reporter=sarif.
# One would expect: the same place, relative to the folder in which Biome runs; in SARIF as a valid URI reference, with the blank
# as %20, or as a file: URI (SARIF 2.1.0, 3.4.3).
# Seen: GitLab's report has the relative path. The SARIF log has the absolute path of the machine, with the blank as it is and
# without a scheme or uriBaseId, so that logs of two checkouts share no place; @microsoft/sarif-multitool 5.7.0 calls it an error.
# Exits with 1 when a tool behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error @biomejs/biome@2.6.8 @microsoft/sarif-multitool@5.7.0

mkdir 'my src'
echo 'eval("1");' > 'my src/a.js'
npx --no-install biome lint --reporter=gitlab 'my src' > gitlab.json 2> /dev/null || true
npx --no-install biome lint --reporter=sarif 'my src' > biome.sarif 2> /dev/null || true

{
  node -e '
    const read = (name) => JSON.parse(require("node:fs").readFileSync(name, "utf8"));
    const { uri, uriBaseId } = read("biome.sarif").runs[0].results[0].locations[0].physicalLocation.artifactLocation;
    console.log("gitlab:", read("gitlab.json")[0].location.path);
    console.log("sarif:", uri.replace(process.cwd(), "FOLDER"), "| uriBaseId:", uriBaseId);
  '
  npx --no-install sarif-multitool validate biome.sarif 2>&1 | grep -oE 'error SARIF100[24]' | sort -u
} | tee seen.txt
diff seen.txt - <<'SEEN'
gitlab: my src/a.js
sarif: FOLDER/my src/a.js | uriBaseId: undefined
error SARIF1002
error SARIF1004
SEEN
