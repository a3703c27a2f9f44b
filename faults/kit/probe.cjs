// Loaded ahead of an instance (node --require): shifts its clock and tells its memory and longest block, when asked.
const { monitorEventLoopDelay } = require('node:perf_hooks');

const RealDate = Date;
let shiftMs = 0;
const now = () => RealDate.now() + shiftMs;

global.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }
  static now() {
    return now();
  }
};

let delay;
const answers = {
  shiftClock(ms) {
    shiftMs = ms;
  },
  memory() {
    global.gc?.();
    return process.memoryUsage();
  },
  /** Starts, or starts anew, to watch the event loop. */
  watchLoop() {
    delay?.disable();
    delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
  },
  longestBlockMs: () => delay.max / 1e6,
};

process.on('message', ({ ask, value }) => process.send({ told: ask, value: answers[ask]?.(value) }));
// Listening must not keep the process alive.
process.channel?.unref();
