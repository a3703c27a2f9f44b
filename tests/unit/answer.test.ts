// Answers have the headers of all answers, once each, in whichever way their head is written.
import { createServer, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type Answer, answersWith } from '../../src/http/response.js';
import type { RequestContext } from '../../src/infra/telemetry/request-context.js';

afterEach(() => {
  jest.restoreAllMocks();
});

const always = [
  ['X-One', '1'],
  ['X-Two', '2'],
] as const;

/** Headers of an answer, names and values in turn, as they came. */
async function headersOf(kind: ReturnType<typeof answersWith>, write: (answer: Answer) => void) {
  const server = createServer({ ServerResponse: kind }, (_request, answer) => {
    write(answer);
    answer.end('x');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await response.text();
    return [...response.headers].filter(([name]) => name.startsWith('x-'));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** As on a version of Node that takes no lines made beforehand. */
function withoutLines(): ReturnType<typeof answersWith> {
  jest.spyOn(ServerResponse.prototype, 'writeHead').mockImplementationOnce(function (this: ServerResponse) {
    return this;
  });
  return answersWith(always);
}

const store = () => ({ headers: ['X-Own', 'a'] }) as RequestContext;
const expected = [
  ['x-more', 'b'],
  ['x-one', '1'],
  ['x-own', 'a'],
  ['x-two', '2'],
];

describe.each([
  ['with lines made beforehand', () => answersWith(always)],
  ['without', withoutLines],
])('an answer %s', (_name, kind) => {
  it('has them when all are written at once', async () => {
    expect(await headersOf(kind(), (answer) => answer.begin(200, store(), ['X-More', 'b']))).toEqual(
      expected,
    );
  });

  it('has them when they are put on one by one, also twice', async () => {
    const write = (answer: Answer) => {
      const own = store();
      answer.applyHeaders(own);
      answer.applyHeaders(own);
      answer.setHeader('X-More', 'b');
    };
    expect(await headersOf(kind(), write)).toEqual(expected);
  });

  it('has them when some were put on before', async () => {
    const write = (answer: Answer) => {
      const own = store();
      answer.applyHeaders(own);
      answer.begin(200, own, ['X-More', 'b']);
    };
    expect(await headersOf(kind(), write)).toEqual(expected);
  });

  it('lets a page replace one of them', async () => {
    const write = (answer: Answer) => {
      answer.applyHeaders(store());
      answer.setHeader('X-One', 'other').setHeader('X-More', 'b');
    };
    const replaced = expected.map(([name, value]) => [name, name === 'x-one' ? 'other' : value]);
    expect(await headersOf(kind(), write)).toEqual(replaced);
  });
});
