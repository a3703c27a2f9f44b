// The Helm chart: Helm lints it, its manifests are what Kubernetes takes, and they agree with the server and its image.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { settings } from '../../src/config/load.js';
import type { Setting } from '../../src/config/settings.js';
import { chart, hasHelm, helm, type Manifest, render } from '../kit/deployment/helm.js';

const read = (name: string) => readFileSync(`${chart}/${name}`, 'utf8');
const schema = JSON.parse(read('values.schema.json'));
const values = parse(read('values.yaml'));
const known = Object.values<Setting>(settings);
const secretNames = known.filter(({ secret }) => secret).map(({ name }) => name);

/** Everything that can be switched on, on. */
const everything = {
  image: { digest: `sha256:${'a'.repeat(64)}` },
  imagePullSecrets: ['registry'],
  settings: { LOG_LEVEL: 'debug', DATABASE_POOL_MAX: 10, GRAPHIQL: true },
  secrets: { keys: { METRICS_TOKEN: 'metrics-token', WEBHOOK_KEY: 'webhook-key', REDIS_URL: null } },
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
  affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
  priorityClassName: 'high',
  podAnnotations: { note: 'x' },
  podLabels: { team: 'security' },
  service: { annotations: { note: 'x' } },
  ingress: { enabled: true, className: 'nginx', host: 'sec.example.com', tlsSecret: 'sec-tls' },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
};
const least = {
  migrations: { enabled: false },
  autoscaling: { enabled: false },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: false },
};

const find = (manifests: Manifest[], kind: string): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`the chart made no ${kind}`);
  return found;
};
const env = (pod: { containers: { env: { name: string; value: string }[] }[] }) =>
  Object.fromEntries((pod.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));

describe('the values of the chart', () => {
  it('fit their schema, and each group has a line that says what it is', () => {
    const validate = new Ajv({ allErrors: true, strict: false }).compile(schema);
    expect(validate(values) || validate.errors).toBe(true);
    expect(Object.keys(schema.properties).filter((name) => name !== 'global')).toEqual(Object.keys(values));
    const blocks = read('values.yaml').trim().split('\n\n');
    expect(blocks.filter((block) => !block.startsWith('# '))).toEqual([]);
  });

  it('refuse secrets among the settings, and keys for what is no secret', () => {
    expect(schema.properties.settings.propertyNames.not.enum).toEqual(expect.arrayContaining(secretNames));
    expect(schema.properties.secrets.properties.keys.propertyNames.enum.toSorted()).toEqual(
      secretNames.toSorted(),
    );
  });
});

(hasHelm ? describe : describe.skip)('the chart', () => {
  it.each([
    ['with its defaults', {}],
    ['with everything on', everything],
    ['with everything off', least],
  ])('is accepted by helm lint --strict %s', (_name, given) => {
    const { code, output } = helm(['lint', '--strict'], given);
    expect(output).toContain('0 chart(s) failed');
    expect(code).toBe(0);
  });

  it.each([
    ['a secret among the settings', { settings: { DATABASE_URL: 'postgresql://x' } }, /DATABASE_URL/],
    ['a value that there is not', { replicas: 3 }, /replicas/],
    ['an ingress without a host', { ingress: { enabled: true } }, /ingress\.host/],
    ['metrics that answer nobody', { serviceMonitor: { enabled: true } }, /METRICS_TOKEN/],
    ['a step of migrations that there is not', { migrations: { step: 'reset' } }, /step/],
    ['a server that everybody may reach by mistake', { networkPolicy: { ingressFrom: [] } }, /ingressFrom/],
  ])('refuses %s', (_name, given, words) => {
    const { code, output } = helm(['template', 'demo'], given);
    expect(code).not.toBe(0);
    expect(output).toMatch(words);
  });

  it('makes manifests that fit the types of Kubernetes, without a field that it does not know', () => {
    const manifests = [{}, everything, least].flatMap((given) => render(given));
    expect(new Set(manifests.map(({ kind }) => kind))).toEqual(
      new Set([
        ...['Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'Job', 'NetworkPolicy', 'Pod'],
        ...['PodDisruptionBudget', 'Service', 'ServiceMonitor'],
      ]),
    );
    expect(faultsOf(manifests)).toBe('');
    const service = find(manifests, 'Service');
    const misspelt = { ...service, spec: { ...service.spec, selectors: {} } };
    expect(faultsOf([misspelt])).toMatch(/selectors.* does not exist in type 'ServiceSpec'/);
  });

  it('runs pods without privileges, on a read-only file system, with secrets as files and limits on memory', () => {
    const manifests = render(everything);
    const pods = [
      find(manifests, 'Deployment').spec.template.spec,
      find(manifests, 'Job').spec.template.spec,
      find(manifests, 'Pod').spec,
    ];
    for (const pod of pods) {
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources.limits.memory).toMatch(/^\d+[MG]i$/);
        expect(container.image).toBe(`sec-tester-api@sha256:${'a'.repeat(64)}`);
      }
    }
    const text = JSON.stringify(manifests);
    expect(text).not.toContain('"kind":"Secret"');
    expect(text).not.toContain('secretKeyRef');
    const [server, job] = pods;
    expect(server.volumes[0].secret).toMatchObject({ secretName: 'sec-tester-app', defaultMode: 0o440 });
    expect(job.volumes[0].secret.secretName).toBe('sec-tester-migrate');
    const [endpoint] = find(manifests, 'ServiceMonitor').spec.endpoints;
    expect(endpoint.authorization.credentials).toEqual({ name: 'sec-tester-app', key: 'metrics-token' });
  });

  it('gives the server only settings that it knows, and secrets in the files that make-secrets writes', () => {
    const names = new Set(known.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name])));
    const manifests = render(everything);
    const server = env(find(manifests, 'Deployment').spec.template.spec);
    const job = env(find(manifests, 'Job').spec.template.spec);
    expect([...Object.keys(server), ...Object.keys(job)].filter((name) => !names.has(name))).toEqual([]);
    expect(server).toMatchObject({ TRUST_PROXY: '1', METRICS: 'true', DATABASE_POOL_MAX: '10' });
    expect(server).not.toHaveProperty('REDIS_URL_FILE');
    expect(env(find(render(), 'Deployment').spec.template.spec)).not.toHaveProperty('TRUST_PROXY');
    const folder = mkdtempSync(join(tmpdir(), 'sec-tester-secrets-'));
    try {
      execFileSync(process.execPath, ['scripts/make-secrets.mjs', folder]);
      const keys = (name: string) => Object.values(values[name].keys) as string[];
      for (const key of keys('secrets')) expect(readFileSync(join(folder, 'app', key), 'utf8')).not.toBe('');
      for (const key of keys('migrations'))
        expect(readFileSync(join(folder, 'migrate', key), 'utf8')).not.toBe('');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('asks for paths that the server has, migrates before pods change, and gives a stop the time that it takes', () => {
    const manifests = render();
    const { spec } = find(manifests, 'Deployment').spec.template;
    const [container] = spec.containers;
    const paths = ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
      (probe) => container[probe].httpGet.path,
    );
    const documented = readFileSync('openapi.yaml', 'utf8');
    for (const path of paths) expect(documented).toContain(`${path}:`);
    expect(paths).toEqual(['/api/v1/health/live', '/api/v1/health/live', '/api/v1/health/ready']);
    const job = find(manifests, 'Job');
    expect(job.metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    const command = job.spec.template.spec.containers[0].command.join(' ');
    for (const [, file] of command.matchAll(/dist\/(\S+)\.js/g))
      expect(readFileSync(`src/${file}.ts`)).toBeTruthy();
    expect(command).toContain('migrate.js deploy');
    expect(find(manifests, 'Deployment').spec).not.toHaveProperty('replicas');
    expect(find(render(least), 'Deployment').spec.replicas).toBe(2);
    const drainMs = Number(env(spec).SHUTDOWN_TIMEOUT_MS);
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(drainMs + 5000 + 9000);
  });

  it('lets the job reach names and PostgreSQL only, and nobody reach the job', () => {
    const policies = render().filter(({ kind }) => kind === 'NetworkPolicy');
    const job = policies.find(({ metadata }) => metadata.name.endsWith('-migrate'));
    expect(job?.spec).not.toHaveProperty('ingress');
    expect(job?.spec.policyTypes).toEqual(['Ingress', 'Egress']);
    const ports = job?.spec.egress.flatMap((rule: { ports: { port: number }[] }) => rule.ports);
    expect([...new Set(ports.map(({ port }: { port: number }) => port))]).toEqual([53, 5432]);
  });
});

const modules: Record<string, string> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'batch/v1': 'batch/v1',
  'policy/v1': 'policy/v1',
  'autoscaling/v2': 'autoscaling/v2',
  'networking.k8s.io/v1': 'networking/v1',
};

/** What the compiler says of the manifests against the types that are made from the API of Kubernetes. */
function faultsOf(manifests: Manifest[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-manifests-'));
  try {
    const lines = manifests
      .filter(({ kind }) => kind !== 'ServiceMonitor') // of an operator, not of Kubernetes
      .map((manifest, index) => {
        const from = modules[manifest.apiVersion];
        if (from === undefined) throw new Error(`no types of ${manifest.apiVersion}`);
        const name = `m${index}`;
        return `import type { ${manifest.kind} as ${name} } from 'kubernetes-types/${from}';\nexport const c${name}: ${name} = ${JSON.stringify(manifest)};`;
      });
    writeFileSync(join(folder, 'manifests.ts'), lines.join('\n'));
    const options = {
      ...{
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        types: [],
        module: 'esnext',
        moduleResolution: 'bundler',
      },
      paths: { 'kubernetes-types/*': [resolve('node_modules/kubernetes-types/*.d.ts')] },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }));
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return String((error as { stdout?: string }).stdout ?? error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
