// The server makes no code from strings: it runs where Node forbids eval and new Function.
import { expect, it } from '@jest/globals';
import { admin } from '../../kit/harness.js';
import { createServerProcess } from '../../kit/programs/process.js';
import { addResults, startExecution } from '../../kit/seed.js';
import { atEnd } from '../../kit/use.js';

const server = await createServerProcess({ NODE_OPTIONS: '--disallow-code-generation-from-strings' });
atEnd(() => server.remove());
await server.start();

it('signs in, writes and reads where Node forbids to make code from strings', async () => {
  const token = await server.signIn();
  const id = await startExecution(server, token);
  const finding = { title: 'SQL injection', severity: 'HIGH' };
  expect(await addResults(server, token, id, [finding])).toMatchObject({ added: 1 });
  const read = await server.gql(
    `{ executions(first: 5) { totalCount nodes { id createdBy { name } results { nodes { title severity } } } }
       users { nodes { email } } }`,
    {},
    token,
  );
  expect(read.expectData()).toMatchObject({
    executions: { totalCount: 1, nodes: [{ id, results: { nodes: [finding] } }] },
    users: { nodes: [{ email: admin.email }] },
  });
});
