// Apollo Server 5 on plain node:http with Prisma 7, relations batched by DataLoader; the client is the one generated for the product.
import { createServer } from 'node:http';
import { ApolloServer, HeaderMap } from '@apollo/server';
import { PrismaPg } from '@prisma/adapter-pg';
import DataLoader from 'dataloader';
import { v7 } from 'uuid';
import { PrismaClient } from '../../dist/generated/prisma/client.js';
import { readBody, serve } from './process.mjs';
import { pageOf, severities, typeDefs } from './schema.mjs';

const prisma = new PrismaClient({
  adapter: new PrismaPg(
    { connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) },
    { statementNameGenerator: statementName },
  ),
  // Under load its defaults of 2 and 5 seconds are not enough for all.
  transactionOptions: { maxWait: 30_000, timeout: 30_000 },
});

const orderBy = { id: 'desc' };
const fields = (names) => Object.fromEntries(names.split(' ').map((name) => [name, true]));
const execution = fields(
  'id name target kind status progress criticalCount highCount mediumCount lowCount infoCount createdAt createdById',
);
const result = fields(
  'id title description severity ruleId cweIds cvssScore location remediation references tags fingerprint createdAt',
);

const resolvers = {
  Query: {
    execution: (_, { id }) => prisma.testExecution.findUnique({ where: { id }, select: execution }),
    async executions(_, { first, after }) {
      const where = after ? { id: { lt: after } } : {};
      const rows = await prisma.testExecution.findMany({
        where,
        orderBy,
        take: first + 1,
        select: execution,
      });
      return pageOf(rows, first);
    },
    async results(_, { filter: { executionId, severity }, first }) {
      const where = { executionId, severity: { in: severity.map((name) => severities.indexOf(name)) } };
      const rows = await prisma.testResult.findMany({ where, orderBy, take: first + 1, select: result });
      return { ...pageOf(rows, first), totalCount: () => prisma.testResult.count({ where }) };
    },
  },
  Mutation: {
    async addResults(_, { input: { executionId, results } }) {
      const createdAt = new Date();
      const data = results.map((finding) => ({
        ...finding,
        ...{ id: v7(), executionId, createdAt },
        severity: severities.indexOf(finding.severity),
      }));
      const added = await prisma.$transaction(async (tx) => {
        const select = { severity: true };
        const inserted = await tx.testResult.createManyAndReturn({ data, skipDuplicates: true, select });
        const increment = (rank) => ({
          increment: inserted.filter(({ severity }) => severity === rank).length,
        });
        const [infoCount, lowCount, mediumCount, highCount, criticalCount] = [0, 1, 2, 3, 4].map(increment);
        const counts = { infoCount, lowCount, mediumCount, highCount, criticalCount };
        await tx.testExecution.update({ where: { id: executionId }, data: counts, select: { id: true } });
        return inserted.length;
      });
      return { added, duplicates: results.length - added };
    },
  },
  TestExecution: {
    severityCounts: (row) => ({
      ...{ critical: row.criticalCount, high: row.highCount, medium: row.mediumCount },
      ...{ low: row.lowCount, info: row.infoCount },
      total: row.criticalCount + row.highCount + row.mediumCount + row.lowCount + row.infoCount,
    }),
    createdBy: ({ createdById }, _, { users }) => (createdById === null ? null : users.load(createdById)),
    results: ({ id }, { first }, { resultsOf }) => resultsOf.load({ id, first }),
    createdAt: ({ createdAt }) => createdAt.toISOString(),
  },
  TestResult: {
    severity: ({ severity }) => severities[severity],
    createdAt: ({ createdAt }) => createdAt.toISOString(),
  },
};

/** Batches of one request. */
function createLoaders() {
  return {
    users: new DataLoader(async (ids) => {
      const rows = await prisma.user.findMany({ where: { id: { in: [...ids] } }, select: fields('id name') });
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id) ?? null);
    }),
    resultsOf: new DataLoader(
      async (keys) => {
        const { first } = keys[0];
        const rows = await prisma.testExecution.findMany({
          where: { id: { in: keys.map(({ id }) => id) } },
          select: { id: true, results: { orderBy, take: first + 1, select: result } },
        });
        const byId = new Map(rows.map(({ id, results }) => [id, results]));
        return keys.map(({ id }) => pageOf(byId.get(id) ?? [], first));
      },
      { cacheKeyFn: ({ id, first }) => `${id} ${first}` },
    ),
  };
}

const names = new Map();
/** Prepares statements, as the adapter does not on its own. */
function statementName({ sql }) {
  let name = names.get(sql);
  if (name === undefined) {
    name = `s${names.size}`;
    names.set(sql, name);
  }
  return name;
}

const apollo = new ApolloServer({ typeDefs, resolvers, introspection: false });
await apollo.start();

async function answer(request, response) {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  const body = JSON.parse(await readBody(request));
  const {
    status,
    headers: answered,
    body: answerBody,
  } = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest: { method: request.method, headers, search: '', body },
    context: async () => createLoaders(),
  });
  for (const [name, value] of answered) response.setHeader(name, value);
  response.statusCode = status ?? 200;
  response.end(answerBody.string);
}

serve(
  createServer((request, response) => {
    answer(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(error.message);
    });
  }),
);
