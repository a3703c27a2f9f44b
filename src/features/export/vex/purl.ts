// Package URLs (ECMA-427) of the components that results name, as far as the tool says of which ecosystem they are.

/** Types of package URLs by the words of Trivy, Grype and npm audit for ecosystems. */
const types = new Map<string, string>([
  ...['npm', 'yarn', 'pnpm', 'bun', 'node-pkg'].map((word) => [word, 'npm'] as const),
  ...['pip', 'pipenv', 'poetry', 'uv', 'python', 'python-pkg'].map((word) => [word, 'pypi'] as const),
  ...['gomod', 'gobinary', 'go-module'].map((word) => [word, 'golang'] as const),
  ...['jar', 'pom', 'gradle', 'java-archive'].map((word) => [word, 'maven'] as const),
  ...['cargo', 'rustbinary', 'rust-crate'].map((word) => [word, 'cargo'] as const),
  ...['bundler', 'gemspec', 'gem'].map((word) => [word, 'gem'] as const),
  ...['composer', 'composer-vendor', 'php-composer'].map((word) => [word, 'composer'] as const),
  ...['nuget', 'dotnet', 'dotnet-core', 'packages-props'].map((word) => [word, 'nuget'] as const),
  ...['debian', 'ubuntu'].map((word) => [word, `deb/${word}`] as const),
  ...['alpine', 'wolfi', 'chainguard'].map((word) => [word, `apk/${word}`] as const),
  ...['redhat', 'centos', 'rocky', 'alma', 'oracle', 'amazon', 'fedora'].map(
    (word) => [word, `rpm/${word}`] as const,
  ),
  ...['deb', 'apk', 'rpm', 'hex', 'pub', 'swift', 'cocoapods', 'conan'].map((word) => [word, word] as const),
]);

/** A component as a package. */
export interface Package {
  /** Unique within a document. */
  purl: string;
  name: string;
  version: string | null;
  /** Whether the tool says of which ecosystem it is; the type is `generic` otherwise. */
  isTyped: boolean;
}

/**
 * The package of a component.
 * @param component `name@version` or a name
 * @param tags tags of the result, where tools put the ecosystem
 */
export function packageOf(component: string, tool: string | null, tags: readonly string[]): Package {
  const at = component.lastIndexOf('@');
  const name = at > 0 ? component.slice(0, at) : component;
  const version = at > 0 && at < component.length - 1 ? component.slice(at + 1) : null;
  const word = tags.find((tag) => types.has(tag));
  const type = word !== undefined ? types.get(word) : /^npm\b/i.test(tool ?? '') ? 'npm' : undefined;
  const path = pathOf(type, name).map(encodeURIComponent).join('/');
  const purl = `pkg:${type ?? 'generic'}/${path}${version === null ? '' : `@${encodeURIComponent(version)}`}`;
  return { purl, name, version, isTyped: type !== undefined };
}

/** The namespace and the name. */
function pathOf(type: string | undefined, name: string): string[] {
  if (type === 'maven') return name.split(':');
  if (type === 'pypi') return [name.toLowerCase().replaceAll('_', '-')];
  return name.split('/').filter((part) => part !== '');
}

/** A product as an IRI: package URLs and web addresses as they are, any other name as a generic package. */
export function productIri(product: string): string {
  if (/^[a-z][a-z0-9+.-]*:\S+$/i.test(product) && URL.canParse(product)) return new URL(product).href;
  return `pkg:generic/${encodeURIComponent(product)}`;
}
