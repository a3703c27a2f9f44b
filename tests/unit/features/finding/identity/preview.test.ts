import { expect, test } from '@jest/globals';
import { identityOf } from '../../../../../src/features/finding/identity/keys.js';
import { previewRecipe, type Recipe } from '../../../../../src/features/finding/identity/preview.js';
import { itemWith } from './kit.js';

const current: Recipe = (item) => identityOf(item, {});

test('a recipe that is the same merges and splits nothing', () => {
  const items = [3, 5, 9].map((startLine) => itemWith({ location: { path: 'a.c', startLine } }));
  expect(previewRecipe(current, current, items, items)).toEqual({ split: [], merged: [] });
});

test('a recipe that heeds the letters of paths less merges, and the other way round it splits', () => {
  const folded: Recipe = (item) => {
    const path = item.location?.path?.toLowerCase() ?? '';
    return current({ ...item, location: { ...item.location, path } });
  };
  const at = (path: string) => [itemWith({ location: { path, startLine: 3 } })];
  const other = itemWith({ ruleId: 'other', location: { path: 'x.c' } });
  const [before, after] = [
    [...at('Src/A.c'), other],
    [...at('src/a.c').map((item) => ({ ...item, title: 'New' })), other],
  ];
  expect(previewRecipe(current, folded, before, after)).toEqual({ split: [], merged: [[0, 0]] });
  expect(previewRecipe(folded, current, before, after)).toEqual({ split: [[0, 0]], merged: [] });
});
