// What a fault plays on: PostgreSQL, Redis and instances, put away again whatever happens.
import { call, graphql, must, requests } from './client.mjs';
import { admin, createInstance, signingKey } from './instance.mjs';
import { startLoad } from './load.mjs';
import { startPostgres } from './postgres.mjs';
import { startProxy } from './proxy.mjs';
import { startRedis } from './redis.mjs';

export const password = 'copper meadow 5127 lantern';

/** Runs work on a scene of its own. */
export async function withScene(work) {
  const closers = [];
  const later = (close) => closers.push(close);
  try {
    return await work(createScene(later));
  } finally {
    for (const close of closers.reverse()) await Promise.resolve(close()).catch(() => {});
  }
}

function createScene(later) {
  const keys = [signingKey()];
  let database;
  let people = 0;

  const scene = {
    keys,
    later,

    async postgres() {
      if (database === undefined) {
        database = await startPostgres();
        later(database.remove);
      }
      return database;
    },

    async redis() {
      const redis = await startRedis();
      later(redis.kill);
      return redis;
    },

    async proxy(target) {
      const proxy = await startProxy(target);
      later(proxy.close);
      return proxy;
    },

    /** A running instance on the scene's PostgreSQL. */
    async instance({ redisUrl, env, ...start } = {}) {
      const { url: databaseUrl } = await scene.postgres();
      const instance = await createInstance({ databaseUrl, redisUrl, keys, env });
      later(instance.remove);
      await instance.start(start);
      return instance;
    },

    /** As startLoad; ended with the scene at the latest. */
    load(name, options) {
      const load = startLoad(name, options);
      later(load.end);
      return load;
    },

    /** Signs in; gives what the server does. */
    signIn: ({ url }, credentials = admin) => must(url, requests.login(undefined, credentials)),

    /** A running instance, and the first admin's token. */
    async signedIn() {
      const server = await scene.instance();
      return { server, token: (await scene.signIn(server)).accessToken };
    },

    /** Two running instances on one Redis, and the first admin's token. */
    async twins() {
      const redis = await scene.redis();
      const a = await scene.instance({ redisUrl: redis.url });
      const b = await scene.instance({ redisUrl: redis.url });
      return { redis, a, b, token: (await scene.signIn(a)).accessToken };
    },

    /** Makes a user: e-mail, id and password. */
    async person({ url }, token, role = 'ANALYST') {
      people += 1;
      const email = `person-${people}@faults.test`;
      const { createUser } = await must(
        url,
        graphql(token, 'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }', {
          input: { email, name: `Person ${people}`, password, role },
        }),
      );
      return { id: createUser.user.id, email, password };
    },

    /** An execution that runs; its id. */
    async execution({ url }, token) {
      const { createExecution } = await must(url, requests.write(token));
      const { id } = createExecution.execution;
      await must(url, act(token, 'startExecution', id));
      return id;
    },
  };
  return scene;
}

/** A mutation that takes an id alone, for call. */
export const act = (token, field, id) =>
  graphql(token, `mutation($id: ID!) { ${field}(id: $id) { execution { id status } } }`, { id });

/** A progress report, for call. */
export const report = (token, executionId, progress, phase) =>
  graphql(
    token,
    'mutation($input: ReportProgressInput!) { reportProgress(input: $input) { execution { id } } }',
    {
      input: { executionId, progress, phase },
    },
  );

export { admin, call, graphql, must, requests };
