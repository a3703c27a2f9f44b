// docker-compose.yml: every service is pinned and confined; the instances of the cluster are reached through nginx alone.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

interface Service {
  image: string;
  build?: string;
  cap_drop: string[];
  cap_add?: string[];
  security_opt: string[];
  mem_limit: string;
  cpus: string | number;
  pids_limit: number;
  logging: { driver: string; options: Record<string, string> };
  profiles?: string[];
  ports?: string[];
  networks?: string[] | Record<string, { aliases?: string[] }>;
  environment?: Record<string, string>;
  read_only?: boolean;
  volumes?: string[];
}

const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
};
const nginx = readFileSync('docker-nginx.conf', 'utf8');

describe.each(Object.entries(services))('the service %s', (_name, service) => {
  it('is built here, or pinned by its digest', () => {
    if (service.build === undefined) expect(service.image).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    else expect(service.image).toBe('sec-tester-api');
  });

  it('has no capability that is not listed, and limits on everything', () => {
    expect(service.cap_drop).toEqual(['ALL']);
    const allowed = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'];
    expect((service.cap_add ?? []).filter((capability) => !allowed.includes(capability))).toEqual([]);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(String(service.mem_limit)).toMatch(/\d+[mg]\}?$/);
    expect(String(service.cpus)).toMatch(/^(\d|\$\{\w+:-\d\})$/);
    expect(service.pids_limit).toBeGreaterThanOrEqual(100);
    expect(service.logging).toEqual({ driver: 'json-file', options: { 'max-size': '20m', 'max-file': '3' } });
  });
});

it('the image of the server is built from a base that is pinned by its digest', () => {
  expect(readFileSync('Dockerfile', 'utf8')).toMatch(/^ARG NODE_IMAGE=node:[\w.-]+@sha256:[0-9a-f]{64}$/m);
});

it.each(['app', 'app-cluster'])('the service %s can write where reports wait for their import', (name) => {
  const [, dataDir] = /DATA_DIR=(\S+)/.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
  expect(services[name]).toMatchObject({ read_only: true });
  expect(services[name]?.volumes).toContain(dataDir);
});

describe('the profile cluster', () => {
  it('publishes the port of nginx and no other', () => {
    const inCluster = Object.entries(services).filter(([, { profiles }]) => profiles?.includes('cluster'));
    const published = inCluster.filter(([, { ports }]) => (ports ?? []).length > 0).map(([name]) => name);
    expect(inCluster.map(([name]) => name)).toEqual(expect.arrayContaining(['app-cluster', 'nginx']));
    expect(published).toEqual(['nginx']);
  });

  it('lets nginx resolve the name of all instances again and again, and instances count one proxy', () => {
    const { networks, environment } = services['app-cluster'] as Service;
    const aliases = Object.values(networks ?? {}).flatMap((network) => network.aliases ?? []);
    const [, upstream] = /server (\S+):4000 resolve;/.exec(nginx) ?? [];
    expect(aliases).toEqual([upstream]);
    expect(nginx).toMatch(/resolver 127\.0\.0\.11 valid=\d+s/);
    expect(environment?.TRUST_PROXY).toBe('1');
    expect(environment?.DATABASE_URL_FILE).toBe('/secrets/app/database-url');
  });
});
