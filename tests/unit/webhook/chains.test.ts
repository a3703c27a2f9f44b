// Which waiting deliveries are sent at the same time, and which wait for others.
import { expect, it } from '@jest/globals';
import { chainsOf } from '../../../src/features/webhook/webhook.chains.js';

/** Deliveries by their keys; `!` marks one that is not due. The ids of each chain. */
const chains = (...keys: string[]) =>
  chainsOf(
    keys.map((key, index) => ({
      id: `${index}`,
      orderKey: key.replace('!', ''),
      isDue: !key.includes('!'),
      attempts: 0,
    })),
  ).map((chain) => chain.map(({ id }) => id).join(' '));

it('events of a target are a chain, beside those of others', () => {
  expect(chains('p/a', 'p/b', 'p/a', 'q/a')).toEqual(['0 2', '1', '3']);
});

it('behind one that is not due, only those of its target wait', () => {
  expect(chains('p/a!', 'p/a', 'p/b', 'p/b!', 'p/b')).toEqual(['2']);
});

it('one of a whole project waits for all of the project, and all later ones wait for it', () => {
  expect(chains('p/a', 'p/', 'p/b', 'q/', 'q/', 'q/c')).toEqual(['0', '3 4']);
  expect(chains('p/a!', 'p/', 'p/b')).toEqual([]);
  expect(chains('p/!', 'p/a', 'p/', 'q/a')).toEqual(['3']);
});

it('those from before there were keys are one chain', () => {
  expect(chains('', '', '!', '')).toEqual(['0 1']);
});
