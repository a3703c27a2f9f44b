// The memory of what streams gave to whom.
import { expect, it } from '@jest/globals';
import { createDeliveryTrails } from '../../../src/features/execution-event/delivery-trails.js';

it('knows what a client had before a cursor, until another instance has given the client events', () => {
  const trails = createDeliveryTrails();
  const give = trails.begin('ada', { floor: '2', seenBefore: undefined });
  for (const id of ['4', '3', '5']) give(id);
  const isSeen = trails.seenAt('ada', '3');
  expect(['3', '4', '5'].filter((id) => isSeen?.({ id, isSeen: false } as never))).toEqual(['3', '4']);
  expect(trails.seenAt('bob', '3')).toBeUndefined();
  trails.forget('ada');
  expect(trails.seenAt('ada', '3')).toBeUndefined();
});
