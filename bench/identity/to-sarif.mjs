// Reports of scanners without SARIF of their own, as SARIF, so that all contestants read the same.

function logOf(name, results) {
  return { version: '2.1.0', runs: [{ tool: { driver: { name, rules: [] } }, results }] };
}

function resultOf({ rule, message, level, path, line, column, code }) {
  const region = { startLine: line, ...(column > 0 && { startColumn: column }) };
  if (code !== undefined) region.snippet = { text: code };
  const artifactLocation = { uri: encodeURI(path.replace(/^\.\//, '')) };
  return {
    ruleId: rule,
    level,
    message: { text: message },
    locations: [{ physicalLocation: { artifactLocation, ...(line > 0 && { region }) } }],
  };
}

/** @param {string} xml of `cppcheck --xml`; the first location of an error is its symptom */
export function cppcheckToSarif(xml) {
  const results = [...xml.matchAll(/<error ([^>]*)>([\s\S]*?)<\/error>/g)].flatMap(([, head, body]) => {
    const place = attributesOf(/<location ([^>]*)\/>/.exec(body)?.[1] ?? '');
    const { id, msg, severity } = attributesOf(head);
    if (place.file === undefined) return [];
    return resultOf({
      rule: id,
      message: msg,
      level: severity === 'error' ? 'error' : 'warning',
      path: place.file,
      line: Number(place.line),
      column: Number(place.column),
    });
  });
  return logOf('cppcheck', results);
}

function attributesOf(text) {
  return Object.fromEntries(
    [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, unescaped(value)]),
  );
}

function unescaped(text) {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}

/** @param {object} report of `bandit -f json`; `code` holds the lines around the one that was found, with their numbers */
export function banditToSarif({ results }) {
  return logOf(
    'bandit',
    results.map((one) =>
      resultOf({
        rule: one.test_id,
        message: one.issue_text,
        level: one.issue_severity === 'HIGH' ? 'error' : 'warning',
        path: one.filename,
        line: one.line_number,
        code: one.code
          .split('\n')
          .find((text) => text.startsWith(`${one.line_number} `))
          ?.replace(/^\d+ /, ''),
      }),
    ),
  );
}
