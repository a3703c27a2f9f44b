// Measures whether time tells accounts apart: 300 interleaved failed sign-ins per case; medians and their spread.
// node bench/enumeration.mjs URL KNOWN_EMAIL [LOCKED_EMAIL [DEACTIVATED_EMAIL]]
// The server must let that many attempts through: LOGIN_MAX_FAILURES=100000 (lock LOCKED_EMAIL before, with 5).
const [url, known, locked, deactivated] = process.argv.slice(2);
if (known === undefined) throw new Error('usage: enumeration.mjs URL KNOWN_EMAIL [LOCKED [DEACTIVATED]]');
const cases = { unknown: 'nobody@people.test', wrong: known, locked, deactivated };
const names = Object.keys(cases).filter((name) => cases[name] !== undefined);
const times = Object.fromEntries(names.map((name) => [name, []]));
const rounds = Number(process.env.ROUNDS ?? 300);

async function attempt(email) {
  const begun = performance.now();
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: 'not the password at all' }),
  });
  await response.arrayBuffer();
  if (response.status !== 401) throw new Error(`${email}: ${response.status}`);
  return performance.now() - begun;
}

for (let round = -10; round < rounds; round += 1) {
  for (const name of names) {
    const took = await attempt(cases[name]);
    if (round >= 0) times[name].push(took);
  }
}
const medianOf = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const medians = names.map((name) => medianOf(times[name]));
for (const [index, name] of names.entries())
  console.log(`${name.padEnd(12)} median ${medians[index].toFixed(2)} ms`);
console.log(`spread ${(Math.max(...medians) - Math.min(...medians)).toFixed(2)} ms`);
