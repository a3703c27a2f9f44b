#!/usr/bin/env bash
# @stoplight/spectral-cli 6.16.3 writes one run over one OpenAPI document in two formats: GitLab's code quality and SARIF.
# One would expect: the same lines; both formats count from 1 (GitLab: "the line on which the code quality violation occurred").
# Seen: GitLab's report counts from 0. The warning about the second line points to line 1, the one about the whole document to
# line 0, which no editor has.
# Exits with 1 when the tool behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error @stoplight/spectral-cli@6.16.3

echo '{ "extends": [["spectral:oas", "off"]], "rules": { "oas3-api-servers": true, "info-contact": true } }' > .spectral.json
printf 'openapi: 3.0.3\ninfo: { title: Shop, version: "1" }\npaths: {}\n' > openapi.yaml
for format in gitlab sarif; do
  npx --no-install spectral lint --quiet -f "$format" openapi.yaml > "$format.json"
done

node -e '
  const read = (name) => JSON.parse(require("node:fs").readFileSync(name + ".json", "utf8"));
  for (const { check_name, location } of read("gitlab")) console.log("gitlab", check_name, location.positions.begin.line);
  for (const { ruleId, locations: [at] } of read("sarif").runs[0].results)
    console.log("sarif", ruleId, at.physicalLocation.region.startLine);
' | sort | tee seen.txt
diff seen.txt - <<'SEEN'
gitlab info-contact 1
gitlab oas3-api-servers 0
sarif info-contact 2
sarif oas3-api-servers 1
SEEN
