// Cursor paging without a database: page arguments, cursors, and cutting rows to a page.
import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../../src/core/errors.js';
import { encodeCursor, type PageArgs, parsePage, toPage } from '../../../src/core/pagination.js';

const id = '0199a5a0-0000-7000-8000-000000000001';

function fieldOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('VALIDATION_FAILED');
    return (error as AppError).fields?.[0]?.path;
  }
}

describe('page arguments', () => {
  it('mean the first twenty when nothing is said', () => {
    const expected = { limit: 20, isBackward: false, after: null, before: null };
    for (const args of [{}, { first: null, last: null, after: null, before: null }])
      expect(parsePage(args, 'NAME')).toEqual(expected);
  });

  it('take 1 to 100 entries from either end', () => {
    expect(parsePage({ first: 1 }, 'NAME')).toMatchObject({ limit: 1, isBackward: false });
    expect(parsePage({ last: 100 }, 'NAME')).toMatchObject({ limit: 100, isBackward: true });
  });

  it.each([0, -1, 101, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])(
    'do not take %d entries',
    (size) => {
      expect(fieldOf(() => parsePage({ first: size }, 'NAME'))).toBe('first');
      expect(fieldOf(() => parsePage({ last: size }, 'NAME'))).toBe('last');
    },
  );

  it('do not take first and last together', () => {
    expect(fieldOf(() => parsePage({ first: 1, last: 1 }, 'NAME'))).toBe('last');
  });
});

describe('a cursor', () => {
  const round = (args: PageArgs, order: string, isKey?: (text: string) => boolean) =>
    parsePage(args, order, isKey);

  it('is opaque and safe in an address', () => {
    expect(encodeCursor('NAME', { id, key: '?&/+ ü' })).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  it.each(['plain', '', ':', 'a:b:c', 'line\nbreak', '\u{1F30A} ü', `NAME:${id}`])(
    'keeps the key %j',
    (key) => {
      const after = encodeCursor('NAME', { id, key });
      expect(round({ after }, 'NAME', () => true).after).toEqual({ id, key });
    },
  );

  it('has no key where the id is the order', () => {
    const before = encodeCursor('CREATED_AT', { id });
    expect(round({ before }, 'CREATED_AT').before).toEqual({ id });
  });

  it('belongs to its order', () => {
    const after = encodeCursor('NAME', { id, key: 'a' });
    expect(fieldOf(() => round({ after }, 'CREATED_AT'))).toBe('after');
    expect(fieldOf(() => round({ before: after }, 'SEVERITY', () => true))).toBe('before');
  });

  it('is refused with a key that cannot be, without the key it needs, and with one it does not need', () => {
    const isKey = (text: string) => text === 'good';
    expect(round({ after: encodeCursor('NAME', { id, key: 'good' }) }, 'NAME', isKey).after?.key).toBe(
      'good',
    );
    for (const [position, check] of [
      [{ id, key: 'bad' }, isKey],
      [{ id }, isKey],
      [{ id, key: 'good' }, undefined],
    ] as const) {
      expect(fieldOf(() => round({ after: encodeCursor('NAME', position) }, 'NAME', check))).toBe('after');
    }
  });

  it.each(['', 'x', '%', 'a b', 'TkFNRQ', encodeCursor('NAME', { id: 'no-uuid' }), 'A'.repeat(2001)])(
    'is not made up: %j',
    (after) => {
      expect(fieldOf(() => round({ after }, 'NAME'))).toBe('after');
    },
  );
});

describe('cutting rows to a page', () => {
  const cut = (args: PageArgs, fetched: number[]) => {
    const page = toPage(parsePage(args, 'NAME'), fetched, String, async () => 9);
    return [page.rows, page.hasPreviousPage, page.hasNextPage];
  };
  const cursor = encodeCursor('NAME', { id });

  it('knows by one row more whether there is another page', () => {
    expect(cut({ first: 2 }, [1, 2, 3])).toEqual([[1, 2], false, true]);
    expect(cut({ first: 3 }, [1, 2, 3])).toEqual([[1, 2, 3], false, false]);
    expect(cut({ first: 2, after: cursor }, [])).toEqual([[], true, false]);
  });

  it('turns round what was fetched from the end', () => {
    expect(cut({ last: 2 }, [9, 8, 7])).toEqual([[8, 9], true, false]);
    expect(cut({ last: 2, before: cursor }, [9])).toEqual([[9], false, true]);
  });

  it('leaves the rows that it is given as they are', () => {
    const fetched = [9, 8];
    cut({ last: 5 }, fetched);
    expect(fetched).toEqual([9, 8]);
  });

  it('counts only when asked', async () => {
    let counted = 0;
    const page = toPage(parsePage({}, 'NAME'), [1], String, async () => {
      counted += 1;
      return 1;
    });
    expect(counted).toBe(0);
    expect([await page.totalCount(), counted, page.cursorOf(5)]).toEqual([1, 1, '5']);
  });
});
