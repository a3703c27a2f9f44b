// Repeats the work of a background job or a poll, one turn at a time.

/**
 * Does the work every `everyMs` from now on; a turn that is due while the one before still runs is left out. The timer keeps no
 * process alive.
 * @param onError gets what a turn throws; the next turn is done nevertheless
 * @returns what stops the repetition; it waits for the turn that runs
 */
export function repeat(
  everyMs: number,
  work: () => Promise<unknown>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let turn: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    turn ??= work()
      .catch(onError)
      .finally(() => {
        turn = undefined;
      });
  }, everyMs).unref();
  return async () => {
    clearInterval(timer);
    await turn;
  };
}
