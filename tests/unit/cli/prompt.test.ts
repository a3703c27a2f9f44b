// Questions at a terminal: what is typed for a secret is never echoed.
import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import { ask } from '../../../src/cli/prompt.js';

it('asks for a secret only when the terminal no longer echoes, as an answer may come at once', async () => {
  const steps: string[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => steps.push(isRaw ? 'echo off' : 'echo on'),
  });
  const stderr = { isTTY: true, write: (text: string) => steps.push(text) };
  const answer = ask({ stdin, stderr } as never, 'Password: ', true);
  stdin.write('kiwi lantern\r');
  expect(await answer).toBe('kiwi lantern');
  expect(steps).toEqual(['echo off', 'Password: ', '\n', 'echo on']);
});
