#!/bin/sh
# A step of a CI job: imports the report of a scanner and ends with the exit code that the job ends with.
# 0 passed, 1 results of the severity or above, or no whole run; 2 wrong use; 3 server, network, sign-in or rights.
#   SEC_TESTER_URL, SEC_TESTER_TOKEN (an API key) examples/ci-import.sh REPORT [SEVERITY]
set -eu
report=${1:?name the report}
severity=${2:-high}
exec "$(dirname "$0")/../bin/sec-tester.mjs" import "$report" \
  --target "${CI_REPOSITORY:-$(basename "$PWD")}" \
  --branch "${CI_BRANCH:-main}" \
  ${CI_COMMIT:+--commit "$CI_COMMIT"} \
  --fail-on "$severity"
