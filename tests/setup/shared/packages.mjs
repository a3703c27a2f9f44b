// A Jest transformer for packages: in the place of a CommonJS module's code it puts the module that Node.js has loaded.
// So a test and the server have one `graphql`, whose types know each other.
import { createHash } from 'node:crypto';

const isOfTest = ({ supportsDynamicImport, supportsStaticESM }) =>
  supportsDynamicImport && !supportsStaticESM;

export default {
  getCacheKey: (source, path, options) =>
    createHash('sha256')
      .update(`${path}\n${isOfTest(options)}\n${source}`)
      .digest('hex'),

  /** ES modules, and what Jest loads for itself, stay as they are. */
  process: (source, path, options) => ({
    code: isOfTest(options) ? `module.exports = requireShared(${JSON.stringify(path)});` : source,
  }),
};
