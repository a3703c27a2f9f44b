#!/usr/bin/env bash
# oxlint 1.94.0, --format=gitlab: a file has three problems; before the next run a comment is inserted above them.
# One would expect: the same fingerprints, since GitLab compares the reports of two branches only by fingerprint. Biome 2.6.8's
# --reporter=gitlab keeps all of its fingerprints.
# Seen: every fingerprint of oxlint changes, so each problem below the comment counts as fixed and as new.
# Exits with 1 when a tool behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error oxlint@1.94.0 @biomejs/biome@2.6.8

echo '{ "rules": { "no-eval": "error", "no-debugger": "error" } }' > .oxlintrc.json
mkdir src
printf 'eval("1");\ndebugger;\neval("2");\n' > src/a.js

report() { # report NUMBER
  npx --no-install oxlint --format=gitlab src > "oxlint$1.json" || true
  npx --no-install biome lint --reporter=gitlab src > "biome$1.json" 2> /dev/null || true
}
report 1
sed -i '1i // A comment.' src/a.js
report 2

for tool in oxlint biome; do
  node -e '
    const [before, after] = [1, 2].map((run) => require(process.cwd() + "/" + process.argv[1] + run + ".json"));
    const known = new Set(before.map(({ fingerprint }) => fingerprint));
    const kept = after.filter(({ fingerprint }) => known.has(fingerprint));
    console.log(`${process.argv[1]}: ${kept.length} of ${after.length} fingerprints kept`);
  ' "$tool"
done | tee seen.txt
diff seen.txt - <<'SEEN'
oxlint: 0 of 3 fingerprints kept
biome: 3 of 3 fingerprints kept
SEEN
