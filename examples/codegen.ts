// GraphQL Code Generator's configuration for a TypeScript client of this API: types for the schema, the scalars and your documents.
//   npm install --save-dev @graphql-codegen/cli @graphql-codegen/client-preset
//   npx --no -- graphql-codegen --config examples/codegen.ts

// biome-ignore lint/style/noDefaultExport: the generator reads the default export
export default {
  // The file in the repository. A server that allows introspection works too: https://sec-tester.example.com/graphql
  schema: process.env.SEC_TESTER_SCHEMA ?? 'schema.graphql',
  documents: [process.env.SEC_TESTER_DOCUMENTS ?? 'src/**/*.{ts,tsx,graphql}'],
  ignoreNoDocuments: true,
  generates: {
    [process.env.SEC_TESTER_GENERATED ?? 'src/gql/']: {
      preset: 'client',
      config: {
        useTypeImports: true,
        strictScalars: true,
        scalars: {
          ID: 'string',
          /** RFC 3339 in UTC, as JSON has it; the server also takes other offsets. */
          DateTime: 'string',
          JSON: 'unknown',
        },
      },
    },
  },
};
