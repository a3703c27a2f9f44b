#!/usr/bin/env bash
# @stoplight/spectral-cli 6.16.3 writes one run over one OpenAPI document with two warnings as JSON, SARIF and JUnit.
# One would expect: the same two problems in all formats; --fail-severity is documented to decide the exit code.
# Seen: it also decides which problems JUnit contains, and only JUnit. With the default, error, the document with two warnings makes
# a suite with 0 tests and 0 failures, as a clean document does.
# Exits with 1 when the tool behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error @stoplight/spectral-cli@6.16.3

echo '{ "extends": [["spectral:oas", "off"]], "rules": { "oas3-api-servers": "warn", "info-contact": "warn" } }' > .spectral.json
printf 'openapi: 3.0.3\ninfo: { title: Shop, version: "1" }\npaths: {}\n' > openapi.yaml
lint() { # lint SEVERITY: prints the number of problems in each format
  for format in json sarif junit; do
    npx --no-install spectral lint --quiet "--fail-severity=$1" -f "$format" openapi.yaml > "out.$format" || true
  done
  echo "fail on $1: $(grep -c '"code"' out.json) in JSON, $(grep -c '"ruleId"' out.sarif) in SARIF," \
    "$(grep -c '<testcase' out.junit || true) in JUnit"
}
{ lint error; lint warn; } | tee seen.txt
diff seen.txt - <<'SEEN'
fail on error: 2 in JSON, 2 in SARIF, 0 in JUnit
fail on warn: 2 in JSON, 2 in SARIF, 2 in JUnit
SEEN
