#!/usr/bin/env bash
# commander 14.0.3: an option's parser that returns null ("none": no limit), or undefined, so that the program can tell it from a
# text. The documentation says that the parser's result becomes the value of the option.
# One would expect: null stays null.
# Seen: both become the empty string, and a default value of the option makes no difference.
# Exits with 1 when the library behaves differently.
set -euo pipefail

version=14.0.3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --loglevel=error "commander@$version"

cat > try.mjs <<'JS'
import { Command } from 'commander';
const program = new Command()
  .option('--days <number>', '', () => null)
  .option('--weeks <number>', '', () => undefined)
  .option('--months <number>', '', () => null, 12);
program.parse(['--days', 'none', '--weeks', 'none', '--months', 'none'], { from: 'user' });
const { days, weeks, months } = program.opts();
console.log(JSON.stringify({ days, weeks, months }));
JS
seen=$(node try.mjs)
echo "commander $version: $seen"
[ "$seen" = '{"days":"","weeks":"","months":""}' ]
