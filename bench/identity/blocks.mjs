// Pieces of source code with weaknesses, by language. A line is `text`, `[depth, text]` or `[depth, text, repaired text]`.

const words =
  'account basket cart device entry field group host item job key label menu node order page'.split(' ');

/** @param {import('./random.mjs').createRandom} random @returns a name that is unlikely to repeat */
export const nameFrom = (random) => `${random.pick(words)}_${random.pick(words)}${random.below(90) + 10}`;

const c = [
  (name) => [
    [0, `void copy_${name}(char *dst, const char *src) {`],
    [1, 'char buf[64];'],
    [1, 'strcpy(buf, src);', 'strncpy_s(buf, 64, src, 63);'],
    [1, 'strcat(buf, "-suffix");', 'strcat_s(buf, 64, "-suffix");'],
    [1, 'strcpy(dst, buf);', 'strncpy_s(dst, 64, buf, 63);'],
    [0, '}'],
  ],
  (name) => [
    [0, `int run_${name}(const char *cmd, int n) {`],
    [1, 'char line[128];'],
    [1, 'sprintf(line, "run %s %d", cmd, n);', 'sprintf_s(line, 128, "run %s %d", cmd, n);'],
    [1, 'if (n > 3) {'],
    [2, 'return system(line);', 'return run_safely(line);'],
    [1, '}'],
    [1, 'return 0;'],
    [0, '}'],
  ],
  (name) => [
    [0, `int sum_${name}(int n) {`],
    [1, 'int total;', 'int total = 0;'],
    [1, 'int values[4] = {1, 2, 3, 4};'],
    [1, `int unused_${name} = n;`, '(void)n;'],
    [1, 'total = total + values[4];', 'total = total + values[3];'],
    [1, 'return total;'],
    [0, '}'],
  ],
  (name) => [
    [0, `char *make_${name}(int n) {`],
    [1, 'char *p = malloc(16);', 'char *p = 0;'],
    [1, 'if (n > 10) {'],
    [2, 'return 0;', 'n = 10;'],
    [1, '}'],
    [1, 'gets(p);', 'read_line(p, 16);'],
    [1, 'strcpy(p, "x");', 'p[0] = 0;'],
    [1, 'return p;'],
    [0, '}'],
  ],
];

const py = [
  (name) => [
    [0, `def load_${name}(data, path):`],
    [1, 'value = pickle.loads(data)', 'value = json.loads(data)'],
    [1, 'extra = yaml.load(open(path))', 'extra = yaml.safe_load(open(path))'],
    [1, 'assert value is not None', 'check(value)'],
    [1, 'return value, extra'],
    [0, ''],
  ],
  (name) => [
    [0, `def run_${name}(cmd, host):`],
    [1, 'if host:'],
    [2, 'subprocess.call(cmd, shell=True)', 'subprocess.call([cmd])'],
    [2, 'os.system("ping " + host)', 'ping(host)'],
    [1, 'return subprocess.Popen(cmd, shell=True)', 'return subprocess.Popen([cmd])'],
    [0, ''],
  ],
  (name) => [
    [0, `def digest_${name}(text):`],
    [1, `password = "${name}"`, 'password = ask()'],
    [1, 'first = hashlib.md5(text)', 'first = hashlib.sha256(text)'],
    [1, 'second = hashlib.md5(text)', 'second = hashlib.sha256(text)'],
    [1, 'return first, second, password'],
    [0, ''],
  ],
  (name) => [
    [0, `def guess_${name}(text):`],
    [1, 'try:'],
    [2, 'result = eval(text)', 'result = int(text)'],
    [1, 'except Exception:'],
    [2, 'pass', 'raise'],
    [1, 'token = random.random()', 'token = secrets.token_hex()'],
    [1, 'return eval(text)', 'return int(text)'],
    [0, ''],
  ],
];

const js = [
  (name) => [
    [0, `function render_${name}(x, el) {`],
    [1, 'eval(x);', 'show(x);'],
    [1, 'el.innerHTML = x;', 'el.textContent = x;'],
    [1, 'if (x == null) {', 'if (x === null) {'],
    [2, 'document.write(x);', 'show(x);'],
    [1, '}'],
    [1, 'return eval(x);', 'return show(x);'],
    [0, '}'],
  ],
  (name) => [
    [0, `function start_${name}(cmd, list) {`],
    [1, `var left_${name} = 3;`, 'list.sort();'],
    [1, "cp.exec('ls ' + cmd);", "cp.execFile('ls', [cmd]);"],
    [1, 'var pattern = new RegExp(cmd);', 'var pattern = /x/;'],
    [1, 'if (list.length == 3) {', 'if (list.length === 3) {'],
    [2, 'console.log(list[cmd], pattern);', 'show(list, pattern);'],
    [1, '}'],
    [0, '}'],
  ],
  (name) => [
    [0, `function make_${name}(body) {`],
    [1, 'const f = new Function(body);', 'const f = show;'],
    [1, "setTimeout('tick()', 100);", 'setTimeout(f, 100);'],
    [1, 'const token = Math.random();', 'const token = crypto.randomUUID();'],
    [1, 'if (token == body) {', 'if (token === body) {'],
    [2, 'eval(body);', 'show(body);'],
    [1, '}'],
    [1, 'return f;'],
    [0, '}'],
  ],
];

const yaml = [
  (name) => [
    [1, `/${name}:`],
    [2, 'get:'],
    [3, `summary: Reads ${name}`],
    [3, 'responses:'],
    [4, "'200':"],
    [5, 'description: ok'],
    [2, 'post:'],
    [3, `operationId: create-${name}`],
    [3, 'responses:'],
    [4, "'201':"],
    [5, 'description: made'],
  ],
  (name) => [
    [1, `/${name}/{id}:`, `/${name}/all:`],
    [2, 'delete:'],
    [3, `description: Removes ${name}`],
    [3, 'tags: [main]'],
    [3, 'responses:'],
    [4, "'204':"],
    [5, 'description: gone'],
  ],
];

/** Invented secrets, made at run time, so that no scanner finds them here. */
const secretOf = (random, prefix, length, letters) =>
  prefix + Array.from({ length }, () => letters[random.below(letters.length)]).join('');
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const mixed = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const env = [
  (name, random) => [
    [0, `${name.toUpperCase()}_MODE=production`],
    [0, `${name}_github=${secretOf(random, 'ghp_', 36, mixed)}`, `${name}_github=`],
    [0, `${name}_retries=3`],
  ],
  (name, random) => [
    [0, `${name}_key=${secretOf(random, 'AKIA', 16, upper)}`, `${name}_key=`],
    [0, `${name}_slack=${secretOf(random, 'xoxb-', 12, '0123456789')}-${secretOf(random, '', 24, mixed)}`],
    [0, `${name}_github=${secretOf(random, 'ghp_', 36, mixed)}`, `${name}_github=`],
  ],
];

/** By language: its blocks, what opens a file, and a line that changes nothing. */
export const languages = {
  c: {
    blocks: c,
    header: [
      [0, '#include <stdio.h>'],
      [0, '#include <stdlib.h>'],
      [0, '#include <string.h>'],
    ],
    filler: (name) => `/* ${name} */`,
    extension: 'c',
    wrap: ['if (1) {', '}'],
  },
  py: {
    blocks: py,
    header: ['hashlib', 'json', 'os', 'pickle', 'random', 'subprocess', 'yaml'].map((one) => [
      0,
      `import ${one}`,
    ]),
    filler: (name) => `# ${name}`,
    extension: 'py',
    wrap: ['if True:', null],
  },
  js: {
    blocks: js,
    header: [[0, "const cp = require('child_process');"]],
    filler: (name) => `// ${name}`,
    extension: 'js',
    wrap: ['if (window) {', '}'],
  },
  yaml: {
    blocks: yaml,
    header: [
      [0, "openapi: '3.0.0'"],
      [0, 'info:'],
      [1, 'title: Shop'],
      [1, "version: '1'"],
      [0, 'paths:'],
    ],
    filler: (name) => `# ${name}`,
    extension: 'yaml',
    wrap: null,
  },
  env: { blocks: env, header: [], filler: (name) => `# ${name}`, extension: 'env', wrap: null },
};
