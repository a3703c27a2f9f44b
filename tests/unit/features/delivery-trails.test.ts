// The memory of what streams gave to whom.
import { expect, it } from '@jest/globals';
import { createDeliveryTrails } from '../../../src/features/execution-event/delivery-trails.js';
import { readSnapshot } from '../../../src/features/execution-event/event-cursors.js';

it('knows what a client had before a cursor, until another instance has given the client events', () => {
  const trails = createDeliveryTrails();
  const give = trails.begin('ada', ({ id }) => id < '2');
  for (const id of ['4', '3', '5']) give(id);
  const isSeen = trails.seenAt('ada', '3');
  expect(['3', '4', '5'].filter((id) => isSeen?.({ id, isSeen: false } as never))).toEqual(['3', '4']);
  expect(trails.seenAt('bob', '3')).toBeUndefined();
  trails.forget('ada');
  expect(trails.seenAt('ada', '3')).toBeUndefined();
});

it('reads a snapshot: what had ended, what was open, and what came later, also across the end of 32 bits', () => {
  const isEnded = readSnapshot('100:105:101,103');
  expect([99, 100, 101, 102, 103, 104, 105, 106].map(isEnded)).toEqual([
    true,
    true,
    false,
    true,
    false,
    true,
    false,
    false,
  ]);
  const era = 2 ** 32;
  const isEndedLater = readSnapshot(`${era - 2}:${era + 2}:${era - 1},${era + 1}`);
  expect([era - 3, era - 2, era - 1, 0, 1, 2, 3].map(isEndedLater)).toEqual([
    true,
    true,
    false,
    true,
    false,
    false,
    false,
  ]);
  expect(readSnapshot('7:7:')(6)).toBe(true);
  expect(readSnapshot('7:7:')(7)).toBe(false);
});
