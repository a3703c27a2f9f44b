// Functions that two processes call on each other, over the channel between a process and one that it has forked.

/** The half of the channel that one process holds. */
export interface Channel {
  /** @param done gets the fault when the message cannot be sent */
  send(message: object, done: (fault: Error | null) => void): void;
  /** Calls the handler for each message. */
  receive(handler: (message: unknown) => void): void;
}

/** Functions that a process offers. Arguments and results are JSON; `undefined` becomes absent. */
export type Functions = { [name: string]: (...args: never[]) => unknown };

/** The other process. */
export interface Peer<Theirs extends Functions> {
  /** Calls a function there. @throws Error when it fails, or there is no answer in time */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    ...args: Parameters<Theirs[Name]>
  ): Promise<Awaited<ReturnType<Theirs[Name]>>>;
  /** Calls a function there without waiting for it; the call may be lost. */
  tell<Name extends keyof Theirs & string>(name: Name, ...args: Parameters<Theirs[Name]>): void;
}

interface Message {
  kind: 'call' | 'answer';
  /** Absent for calls that nobody waits for. */
  id?: number;
  name?: string;
  args?: unknown[];
  result?: unknown;
  fault?: string;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (fault: Error) => void;
  timer: NodeJS.Timeout;
}

/** Longest time that an answer may take: longer than any pause of a process that works. */
const answerMs = 5000;
/** Messages that may be on their way to a process that takes none. */
const maxUnsent = 10_000;

/** Connects to the process at the other end, which may call `own`. */
export function createPeer<Theirs extends Functions>(channel: Channel, own: Functions): Peer<Theirs> {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let unsent = 0;

  function send(message: Message, onFault: (fault: Error) => void = () => {}): void {
    if (unsent >= maxUnsent) {
      onFault(new Error('the other process takes no messages'));
      return;
    }
    unsent += 1;
    channel.send(message, (fault) => {
      unsent -= 1;
      if (fault !== null) onFault(fault);
    });
  }

  function settle({ id, result, fault }: Message): void {
    const call = waiting.get(id as number);
    if (call === undefined) return;
    waiting.delete(id as number);
    clearTimeout(call.timer);
    if (fault === undefined) call.resolve(result);
    else call.reject(new Error(fault));
  }

  async function answer({ id, name = '', args = [] }: Message): Promise<void> {
    const reply: Message = { kind: 'answer', id };
    try {
      if (!Object.hasOwn(own, name)) throw new Error(`there is no ${name}`);
      reply.result = await (own[name] as (...args: unknown[]) => unknown)(...args);
    } catch (error) {
      reply.fault = (error as Error).message;
    }
    if (id !== undefined) send(reply);
  }

  channel.receive((given) => {
    const message = given as Message;
    if (message.kind === 'call') void answer(message);
    else if (message.kind === 'answer') settle(message);
  });

  return {
    ask: (name, ...args) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        const id = lastId;
        const giveUp = () =>
          settle({ kind: 'answer', id, fault: 'the other process did not answer in time' });
        const timer = setTimeout(giveUp, answerMs).unref();
        waiting.set(id, { resolve: resolve as (result: unknown) => void, reject, timer });
        send({ kind: 'call', id, name, args }, ({ message: fault }) => settle({ kind: 'answer', id, fault }));
      }),
    tell: (name, ...args) => send({ kind: 'call', name, args }),
  };
}
