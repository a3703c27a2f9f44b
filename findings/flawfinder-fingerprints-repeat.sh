#!/usr/bin/env bash
# flawfinder 2.0.19, --sarif: two files each hold the same call on two lines.
# SARIF 2.1.0, 3.27.16: each string in `fingerprints` contributes to the unique identity of a result, so one would expect four
# results to have four values, or at least one per file.
# Seen: all four results have one and the same value, because it is the SHA-256 of the text of the line. A system that takes the
# fingerprint for the identity of a finding keeps one finding of four, and closes none when three of them are fixed.
# Exits with 1 when the tool behaves differently.
set -euo pipefail

version=2.0.19
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Of Debian 12; the package holds one script without dependencies.
apt-get download --quiet=2 "flawfinder=$version-1.1"
dpkg -x flawfinder_*.deb tools
flawfinder() { PYTHONPATH=tools/usr/lib/python3/dist-packages python3 tools/usr/bin/flawfinder "$@"; }

mkdir src
for name in a b; do
  cat > "src/$name.c" <<'C'
#include <string.h>

void copy(char *to, const char *from) {
    strcpy(to, from);
}

void copy_again(char *to, const char *from) {
    strcpy(to, from);
}
C
done

echo "flawfinder $(flawfinder --version)"
flawfinder --sarif src > report.sarif
python3 - <<'PY' | tee seen.txt
import json
results = json.load(open("report.sarif"))["runs"][0]["results"]
places = set()
for result in results:
    place = result["locations"][0]["physicalLocation"]
    places.add((place["artifactLocation"]["uri"], place["region"]["startLine"]))
values = {json.dumps(result["fingerprints"], sort_keys=True) for result in results}
print(f"{len(results)} results at {len(places)} places in {len({path for path, _ in places})} files, {len(values)} fingerprint")
PY
diff seen.txt - <<'SEEN'
4 results at 4 places in 2 files, 1 fingerprint
SEEN
