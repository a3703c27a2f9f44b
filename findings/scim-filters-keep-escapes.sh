#!/usr/bin/env bash
# scimmy 1.3.5 and scim2-parse-filter 0.2.10 leave the escapes of JSON in a filter's text as they are.
# RFC 7644 (section 3.4.2.2, figure 1) has the value of a filter follow the rules of JSON: the text "CORP\\ada" is CORP\ada, and
# "\u00c9ric" is Éric.
# One would expect: a filter that is written so finds the user of that name.
# Seen: both packages compare with the backslashes and find nobody, so that a directory that asks whether a user is there would
# make it again. scimmy also refuses an escaped quotation mark beside spaces as an unexpected token.
# Exits with 1 when the packages behave differently.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log && npm install --no-audit --no-fund --loglevel=error scimmy@1.3.5 scim2-parse-filter@0.2.10 >>npm.log

cat >check.mjs <<'JS'
import { filter, parse } from 'scim2-parse-filter';
import SCIMMY from 'scimmy';

const users = ['CORP\\ada', 'Éric', 'Grace "Amazing" Hopper', 'ada'].map((displayName) => ({ displayName }));
const attempt = (find) => {
  try {
    return find().length;
  } catch (error) {
    return error.message;
  }
};
const found = (text) => ({
  'scim2-parse-filter': attempt(() => users.filter(filter(parse(text)))),
  scimmy: attempt(() => new SCIMMY.Types.Filter(text).match(users)),
});
const filters = ['ada', 'CORP\\\\ada', '\\u00c9ric', 'Grace \\"Amazing\\" Hopper'].map((text) => `displayName eq "${text}"`);
const answers = filters.map(found);
for (const [index, text] of filters.entries()) console.log(text, answers[index]);

const [plain, backslash, unicode, quoted] = answers;
const isKept =
  Object.values(plain).every((count) => count === 1) &&
  [backslash, unicode].every((answer) => Object.values(answer).every((count) => count === 0)) &&
  String(quoted.scimmy).startsWith('Unexpected token');
process.exit(isKept ? 0 : 1);
JS
node check.mjs
