#!/usr/bin/env bash
# @microsoft/sarif-multitool 5.7.0 from npm passes its arguments to a shell.
# One would expect: an argument with a semicolon reaches the tool, whose help asks for one: "--rule-kind: the kind(s) of rules",
# "--log: … expressed as a semicolon-delimited list enclosed in double quotes"; and the name of a file never runs as a command.
# Seen: the npm program starts the tool with `shell: true`, which joins the arguments without quotes. What follows the semicolon
# runs as a command of its own, so a file named `x;touch seen;.sarif` runs `touch seen`.
# Exits with 1 when the tool behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error @microsoft/sarif-multitool@5.7.0 2> /dev/null
cat > log.sarif <<'LOG'
{ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
  "runs": [{ "tool": { "driver": { "name": "Tool" } }, "results": [] }] }
LOG
cp log.sarif 'x;touch seen;.sarif'
./node_modules/.bin/sarif-multitool validate 'x;touch seen;.sarif' > output.txt 2>&1 || true
echo "@microsoft/sarif-multitool $(node -p 'require("@microsoft/sarif-multitool/package.json").version')"
[ -e seen ] && echo 'touch seen has run'
