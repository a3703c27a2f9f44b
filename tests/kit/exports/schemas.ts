// Validates exports against the official JSON schemas of their formats.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import Ajv04 from 'ajv-draft-04';
import formats from 'ajv-formats';

type Validator = (document: unknown) => string[];

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
const own = (name: string) => read(join('tests/fixtures/schemas', name));

/** OASIS' schema of SARIF 2.1.0, errata 01. */
export const sarifErrors: Validator = validatorOf(() => {
  const ajv = formats.default(new Ajv04.default({ strict: false, allErrors: true }));
  return ajv.compile(own('sarif-2.1.0.json'));
});

/** The schema of OpenVEX 0.2.0. */
export const openVexErrors: Validator = validatorOf(() => {
  const ajv = formats.default(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addFormat('iri', (text) => /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`]+$/i.test(text));
  return ajv.compile(own('openvex-0.2.0.json'));
});

/** The schema of CycloneDX 1.6, as @cyclonedx/cyclonedx-library ships it. */
export const cycloneDxErrors: Validator = validatorOf(() => {
  const library = dirname(
    createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'),
  );
  // The schemas name each other by their files, and themselves by their addresses.
  const schema = (name: string) => {
    const $id = `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`;
    return { ...read(join(library, 'res/schema', `${name}.SNAPSHOT.schema.json`)), $id };
  };
  const ajv = formats.default(new Ajv({ strict: false, allErrors: true }));
  ajv.addFormat('iri-reference', (text) => /^[^\s<>"{}|\\^`]*$/.test(text));
  ajv.addFormat('idn-email', (text) => /^[^\s@]+@[^\s@]+$/.test(text));
  ajv.addSchema(schema('spdx'));
  ajv.addSchema(schema('jsf-0.82'));
  return ajv.compile(schema('bom-1.6'));
});

interface Compiled {
  (document: unknown): unknown;
  errors?: { instancePath: string; message?: string }[] | null;
}

/** Compiles a schema when it is first asked for: not every test file needs all. */
function validatorOf(compile: () => Compiled): Validator {
  let compiled: Compiled | undefined;
  return (document) => {
    compiled ??= compile();
    compiled(document);
    return (compiled.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}
