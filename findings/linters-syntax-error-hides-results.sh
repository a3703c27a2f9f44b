#!/usr/bin/env bash
# oxlint 1.94.0 and stylelint 17.16.0 with stylelint-sarif-formatter 1.0.7: each lints a file with two problems, then the same file with a syntax
# error added at its end. Both write SARIF.
# One would expect what ESLint 9.39.5 with @microsoft/eslint-formatter-sarif 3.1.0 writes: an invocation with executionSuccessful false and
# a notification that names the file, so that a reader knows that the missing results are not fixed (SARIF 2.1.0, 3.20.14, 3.20.21).
# Seen: the two results are gone and one for the syntax error takes their place; no run has an invocation, so the log reads like
# that of a complete run in which the two problems are fixed.
# Exits with 1 when a tool behaves differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error oxlint@1.94.0 eslint@9.39.5 @microsoft/eslint-formatter-sarif@3.1.0 \
  stylelint@17.16.0 stylelint-sarif-formatter@1.0.7

echo 'module.exports = [{ rules: { "no-eval": "error", "no-debugger": "error" } }];' > eslint.config.js
echo '{ "rules": { "no-eval": "error", "no-debugger": "error" } }' > .oxlintrc.json
echo '{ "rules": { "color-no-invalid-hex": true, "block-no-empty": true } }' > .stylelintrc.json
mkdir whole broken
printf 'eval("1");\ndebugger;\n' | tee whole/a.js > broken/a.js
printf 'a { color: #12; }\nb {}\n' | tee whole/a.css > broken/a.css
echo 'function (' >> broken/a.js
echo 'c { color: ' >> broken/a.css

lint() { # lint FOLDER: prints what the three logs of the folder hold
  npx --no-install eslint -f @microsoft/eslint-formatter-sarif "$1" > eslint.sarif || true
  npx --no-install oxlint -f sarif "$1" > oxlint.sarif || true
  npx --no-install stylelint --custom-formatter stylelint-sarif-formatter "$1/*.css" > stylelint.sarif 2> stylelint.err || true
  [ -s stylelint.sarif ] || mv stylelint.err stylelint.sarif
  for tool in eslint oxlint stylelint; do
    node -e '
      const [run] = JSON.parse(require("node:fs").readFileSync(process.argv[1] + ".sarif", "utf8")).runs;
      const rules = run.results.map(({ ruleId }) => ruleId);
      const successful = run.invocations?.[0]?.executionSuccessful ?? "not stated";
      console.log(process.argv[2], process.argv[1] + ":", [...new Set(rules)].sort().join(", ") || "no result", "| successful:", successful);
    ' "$tool" "$1"
  done
}

{ lint whole; lint broken; } | tee seen.txt
diff seen.txt - <<'SEEN'
whole eslint: no-debugger, no-eval | successful: not stated
whole oxlint: eslint(no-debugger), eslint(no-eval) | successful: not stated
whole stylelint: block-no-empty, color-no-invalid-hex | successful: not stated
broken eslint: no result | successful: false
broken oxlint: OXL0001 | successful: not stated
broken stylelint: CssSyntaxError | successful: not stated
SEEN
