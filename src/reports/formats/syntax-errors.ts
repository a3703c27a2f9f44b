// Recognises results that report a syntax error. Most linters look at nothing else in a file that they cannot parse, but call the
// run successful: without this, the other findings of the file would count as fixed.

/** Rules that no tool uses for anything else. */
const rules = new Set([
  'OXL0001', // oxlint
  'CssSyntaxError', // stylelint
  'Lint/Syntax', // RuboCop
  'E0001', // Pylint
  'E999', // flake8
  'syntax-error', // Pylint, and Ruff in JSON
  'invalid-syntax', // Ruff
  'SC1072', // ShellCheck
  'SC1073', // ShellCheck
]);

/** Rules with names that mean something else in other tools. */
const rulesOfTools = new Map([
  ['parse', 'biome'],
  ['parser', 'spectral'],
]);

/**
 * Whether a result of this rule means that the tool could not parse the file.
 * @param ruleId as the report has it
 * @param tool name of the tool, as far as it is known
 */
export function isSyntaxError(ruleId: string | null, tool: string | null): boolean {
  if (ruleId === null) return false;
  const only = rulesOfTools.get(ruleId);
  return only === undefined ? rules.has(ruleId) : only === tool?.toLowerCase();
}
