// One timer for all open connections, whose turns are spread over its period.

/** Calls back once per period, until it is stopped. */
export type Heartbeat = (beat: () => void) => () => void;

const slots = 12;

/** Makes a heartbeat; its timer runs while anybody listens, and keeps no process alive. */
export function createHeartbeat(periodMs: number): Heartbeat {
  const turns = Array.from({ length: slots }, () => new Set<() => void>());
  let timer: NodeJS.Timeout | undefined;
  let turn = 0;
  let size = 0;
  let next = 0;

  function tick(): void {
    turn = (turn + 1) % slots;
    for (const beat of [...(turns[turn] as Set<() => void>)]) beat();
  }

  return (beat) => {
    next = (next + 1) % slots;
    const own = turns[next] as Set<() => void>;
    own.add(beat);
    size += 1;
    timer ??= setInterval(tick, periodMs / slots).unref();
    return () => {
      if (!own.delete(beat)) return;
      size -= 1;
      if (size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
}
