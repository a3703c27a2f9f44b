// The head of a response has the headers of its context once each, in each way of writing.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { applyHeaders, writeHead } from '../../../src/http/response.js';
import type { RequestContext } from '../../../src/infra/telemetry/request-context.js';

/** The headers of a response whose names begin with x-, names and values in turn. */
async function headersOf(write: (response: ServerResponse) => void) {
  const server = createServer((_request, response) => {
    write(response);
    response.end('x');
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

const contextOf = () => ({ headers: ['X-One', '1', 'X-Two', '2'] }) as RequestContext;
const expected = [
  ['x-more', 'b'],
  ['x-one', '1'],
  ['x-two', '2'],
];

describe('a response', () => {
  it('has all headers when the head is written at once', async () => {
    expect(await headersOf((response) => writeHead(response, 200, contextOf(), ['X-More', 'b']))).toEqual(
      expected,
    );
  });

  it('has each header once when they are applied twice', async () => {
    const write = (response: ServerResponse) => {
      const context = contextOf();
      applyHeaders(response, context);
      applyHeaders(response, context);
      response.setHeader('X-More', 'b');
    };
    expect(await headersOf(write)).toEqual(expected);
  });

  it('has each header once when some were applied before the head is written', async () => {
    const write = (response: ServerResponse) => {
      const context = contextOf();
      applyHeaders(response, context);
      writeHead(response, 200, context, ['X-More', 'b']);
    };
    expect(await headersOf(write)).toEqual(expected);
  });

  it('keeps a header that is set in place of an applied one', async () => {
    const write = (response: ServerResponse) => {
      applyHeaders(response, contextOf());
      response.setHeader('X-One', 'other').setHeader('X-More', 'b');
    };
    const replaced = expected.map(([name, value]) => [name, name === 'x-one' ? 'other' : value]);
    expect(await headersOf(write)).toEqual(replaced);
  });
});
