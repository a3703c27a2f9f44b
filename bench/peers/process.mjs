// What the peers' processes share: reading a body, listening on the port given, ending when asked to.

/** The text of a request's body. */
export function readBody(request) {
  return new Promise((resolve, reject) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => resolve(text));
    request.on('error', reject);
  });
}

/** Listens where it is told to and says so; ends with its parent. */
export function serve(server) {
  server.keepAliveTimeout = 0;
  return listenOn(({ port, host }) => new Promise((resolve) => server.listen(port, host, resolve)));
}

/** The same for a framework's own way to listen. */
export async function listenOn(listen) {
  await listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
  process.send('ready');
  process.on('disconnect', () => process.exit(0));
}
