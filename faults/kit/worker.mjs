// A process of load: runs one of the loads by name until it is told to stop, and gives what it measured. Talks over IPC.
import * as loads from './loads.mjs';
import * as streams from './streams.mjs';

const stopping = new AbortController();
let options;
/** Nobody listens any more when the scene was put away first. */
const send = (message) => process.connected && process.send(message, () => {});
process.on('message', (message) => {
  if (message.stop) stopping.abort();
  if (message.change) Object.assign(options, message.change);
  if (message.run === undefined) return;
  options = message.options;
  ({ ...loads, ...streams })
    [message.run](options, stopping.signal, (told) => send({ told }))
    .then(
      (result) => send({ result }),
      (error) => send({ failure: error.stack }),
    );
});
process.on('disconnect', () => process.exit(0));
