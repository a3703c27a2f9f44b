// How tests run: TypeScript as ES modules through swc, in a few workers; what they need to run is in tests/setup/test-infra.ts.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const ifThere = (option, name) => (existsSync(here(name)) ? { [option]: here(name) } : {});
/**
 * Test files of a worker share src and packages (tests/setup/shared), but not where Jest counts coverage or loads what has
 * changed: it does so only with what it loads itself.
 */
const sharing = !process.argv.some((argument) => /^--(coverage|watch)/.test(argument));

export default {
  testEnvironment: sharing ? '<rootDir>/tests/setup/shared/environment.mjs' : 'node',
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  testTimeout: 180_000, // for a busy machine: what works does not wait
  maxWorkers: 3, // tests wait for clocks and sockets more than they compute, also on two cores
  workerIdleMemoryLimit: '900MB', // modules of earlier files stay in memory, until collecting garbage takes all the time
  transform: {
    ...(sharing && {
      [`^${here('src/')}`]: '<rootDir>/tests/setup/shared/modules.mjs',
      '/node_modules/.*js$': '<rootDir>/tests/setup/shared/packages.mjs',
    }),
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, sourceMaps: 'inline', swcrc: false },
    ],
  },
  transformIgnorePatterns: sharing ? [] : ['/node_modules/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  setupFilesAfterEnv: ['<rootDir>/tests/setup/redis-database.ts'],
  ...ifThere('globalSetup', 'tests/setup/global-setup.mjs'),
  ...ifThere('globalTeardown', 'tests/setup/global-teardown.mjs'),
  reporters: ['default', '<rootDir>/tests/setup/closing-line.mjs'],
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts', '!src/generated/**', '!src/main.ts'],
  coverageThreshold: { global: { lines: 90, branches: 90, functions: 90, statements: 90 } },
};
