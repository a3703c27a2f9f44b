// Runs real scanners on a checkout and gives their reports as SARIF. Those of npm are installed here with pinned versions, in a
// folder of their own; those of Debian (flawfinder, cppcheck, bandit) are used where they are installed.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { banditToSarif, cppcheckToSarif } from './to-sarif.mjs';

const packages = [
  '@ast-grep/cli@0.51.1',
  '@microsoft/eslint-formatter-sarif@3.1.0',
  '@microsoft/sarif-multitool@5.7.0',
  '@secretlint/secretlint-formatter-sarif@13.0.5',
  '@secretlint/secretlint-rule-preset-recommend@12.0.0',
  '@stoplight/spectral-cli@6.16.3',
  'eslint@9.39.5',
  'eslint-plugin-security@4.1.0',
  'secretlint@12.0.0',
];

const eslintConfig = `const security = require('eslint-plugin-security');
module.exports = [{ ...security.configs.recommended, files: ['**/*.js'] }, { files: ['**/*.js'], rules: {
  'no-eval': 2, 'no-implied-eval': 2, 'no-new-func': 2, eqeqeq: 1, 'no-unused-vars': 1, 'no-var': 1, 'no-undef': 0,
} }];`;

const astGrepRules = [
  ['no-eval', 'JavaScript', 'eval($X)'],
  ['new-function', 'JavaScript', 'new Function($X)'],
  ['exec', 'JavaScript', 'cp.exec($X)'],
  ['inner-html', 'JavaScript', '$E.innerHTML = $X'],
  ['py-eval', 'Python', 'eval($X)'],
  ['shell', 'Python', 'subprocess.call($$$, shell=True)'],
  ['strcpy', 'C', 'strcpy($A, $B);'],
];

/** Installs what is missing. @param {string} folder of the tools, kept between calls */
export function installTools(folder) {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'package.json')))
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
  if (!existsSync(join(folder, 'node_modules/.bin/sarif-multitool')))
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], {
      cwd: folder,
      stdio: 'inherit',
    });
  writeFileSync(join(folder, 'eslint.config.cjs'), eslintConfig);
  writeFileSync(
    join(folder, 'secretlint.json'),
    '{"rules":[{"id":"@secretlint/secretlint-rule-preset-recommend"}]}',
  );
  writeFileSync(join(folder, 'spectral.yaml'), 'extends: [["spectral:oas", "all"]]\n');
  const rules = astGrepRules.map(
    ([id, language, pattern]) =>
      `id: ${id}\nlanguage: ${language}\nseverity: error\nmessage: Found ${id}\nrule:\n  pattern: ${JSON.stringify(pattern)}\n`,
  );
  writeFileSync(join(folder, 'rules.yaml'), rules.join('---\n'));
}

/** Scanners exit with 1 when they find something, so only output counts. */
function run(command, args, cwd) {
  return new Promise((resolve) => {
    const options = { cwd, maxBuffer: 1e9, timeout: 300_000, env: { ...process.env, NO_COLOR: '1' } };
    execFile(command, args, options, (_error, stdout, stderr) => resolve({ stdout, stderr }));
  });
}

const parse = (name, text, stderr) => {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name} wrote no JSON: ${text.slice(0, 300)} ${stderr.slice(0, 500)}`);
  }
};

/** By name: (checkout, folder of the tools) → SARIF log. */
export const tools = {
  async flawfinder(checkout) {
    const { stdout, stderr } = await run('flawfinder', ['--sarif', '.'], checkout);
    return parse('flawfinder', stdout, stderr);
  },
  async cppcheck(checkout) {
    const args = ['--enable=warning,style,performance', '--quiet', '--xml', '.'];
    return cppcheckToSarif((await run('cppcheck', args, checkout)).stderr);
  },
  async bandit(checkout) {
    const { stdout, stderr } = await run('bandit', ['-q', '-r', '-f', 'json', '.'], checkout);
    return banditToSarif(parse('bandit', stdout, stderr));
  },
  async eslint(checkout, folder) {
    const formatter = join(folder, 'node_modules/@microsoft/eslint-formatter-sarif/sarif.js');
    const args = ['-c', join(folder, 'eslint.config.cjs'), '-f', formatter, '--no-warn-ignored', '.'];
    // ESLint lints what lies below its working directory only, so the configuration is named from outside.
    const { stdout, stderr } = await run(join(folder, 'node_modules/.bin/eslint'), args, checkout);
    return parse('eslint', stdout, stderr);
  },
  async secretlint(checkout, folder) {
    const out = join(checkout, '..', 'secretlint.sarif');
    const options = [
      '--secretlintrc',
      join(folder, 'secretlint.json'),
      '--format',
      '@secretlint/secretlint-formatter-sarif',
    ];
    const args = [...options, '--maskSecrets', '--output', out, '**/*'];
    const { stderr } = await run(join(folder, 'node_modules/.bin/secretlint'), args, checkout);
    return parse('secretlint', readFileSync(out, 'utf8'), stderr);
  },
  async spectral(checkout, folder) {
    const args = ['lint', '-q', '-r', join(folder, 'spectral.yaml'), '-f', 'sarif', '**/*.yaml'];
    const { stdout, stderr } = await run(join(folder, 'node_modules/.bin/spectral'), args, checkout);
    return parse('spectral', stdout, stderr);
  },
  async 'ast-grep'(checkout, folder) {
    const args = ['scan', '--rule', join(folder, 'rules.yaml'), '--format', 'sarif', '.'];
    const { stdout, stderr } = await run(join(folder, 'node_modules/.bin/ast-grep'), args, checkout);
    return parse('ast-grep', stdout, stderr);
  },
};

/** Whether a scanner of Debian is there. */
export async function isInstalled(name) {
  if (!['flawfinder', 'cppcheck', 'bandit'].includes(name)) return true;
  const { stdout, stderr } = await run(name, ['--version'], '/');
  return `${stdout}${stderr}` !== '';
}
