// A process of subscribers for live.mjs that only count: bytes are searched for events, nothing is parsed, so that the
// load takes as little of the machine as can be. Talks over IPC.
import { connect } from 'node:net';

const query = `subscription($id: ID!) { executionEvents(executionId: $id) {
  id type at execution { status progress phase }
} }`;
/** Stands in every report of progress, once. */
const needle = Buffer.from('"PROGRESS"');
const begun = Buffer.from('"STARTED"');

/** Events per subscriber. */
const counts = [];
let lastAt = 0;

process.on('message', async ({ open, report }) => {
  if (open !== undefined) {
    for (let from = 0; from < open.count; from += 100)
      await Promise.all(Array.from({ length: Math.min(100, open.count - from) }, () => openOne(open)));
    process.send({ opened: open.count });
  }
  if (report !== undefined) {
    const least = counts.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const total = counts.reduce((a, b) => a + b, 0);
    process.send({ least, total, lastAt });
  }
});
process.on('disconnect', () => process.exit(0));

/** Resolves once the stream has begun. */
function openOne({ url, token, transport, executionId }) {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  const request = { query, variables: { id: executionId } };
  socket.write(greetings[transport](token, request));
  if (transport === 'websocket') setInterval(() => socket.write(pong), pongEveryMs).unref();
  return new Promise((resolve, reject) => {
    const at = counts.push(0) - 1;
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let found = bytes.indexOf(needle); found >= 0; found = bytes.indexOf(needle, from)) {
        counts[at] += 1;
        from = found + needle.length;
      }
      if (bytes.includes('connection_ack'))
        socket.write(frame({ id: '1', type: 'subscribe', payload: request }));
      if (bytes.includes(begun)) resolve();
      rest = bytes.subarray(Math.max(from, bytes.length - needle.length + 1));
      lastAt = performance.timeOrigin + performance.now();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('a stream was closed')));
  });
}

/** An empty pong, sent unasked (RFC 6455, 5.5.3): frames are not parsed here, so pings are not seen. */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const pongEveryMs = 5000;

const greetings = {
  sse(token, request) {
    const body = JSON.stringify(request);
    return [
      'POST /graphql HTTP/1.1',
      'Host: bench',
      'Content-Type: application/json',
      'Accept: text/event-stream',
      `Authorization: Bearer ${token}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  },
  websocket(token) {
    const handshake = [
      'GET /graphql HTTP/1.1',
      'Host: bench',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol: graphql-transport-ws',
      '',
      '',
    ].join('\r\n');
    const authorization = `Bearer ${token}`;
    const init = frame({ type: 'connection_init', payload: { authorization } });
    return Buffer.concat([Buffer.from(handshake), init]);
  },
};

/** A client's text frame; its mask is zero, which leaves the text as it is. */
function frame(message) {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(8);
  head[0] = 0x81;
  head[1] = 0x80 | 126;
  head.writeUInt16BE(text.length, 2);
  return Buffer.concat([head, text]);
}
