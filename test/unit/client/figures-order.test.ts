/** The figure beside a layer's name: the best known, as soon as it is known. */
import { expect, it } from 'vitest';
import {
  bestKnown,
  decisiveCell,
  hasNothingToQuantize,
  shortFormat,
} from '../../../client/src/figures-order';
import type { Effect, ErrorCell, LayerRow } from '../../../server/src/protocol/views';

const cell = (format: string, effect: Effect, db: number): ErrorCell => ({
  format,
  effect,
  db,
  verdict: 'good',
  basis: 'measured',
});
const weights = [
  cell('int8.tensor', 'weight', 35),
  cell('int8.channel', 'weight', 41.2),
  cell('int4.channel', 'weight', 18),
];
const local = cell('w8a8', 'local', 30);
const cumulative = cell('w8a8', 'cumulative', 26.9);
const output = cell('w8a8', 'output', 45);

it.each([
  ['nothing', [], []],
  ['weights', weights, [41.2, 18]],
  ['local error', [...weights, local], [30]],
  ['cumulative error', [...weights, local, cumulative], [26.9]],
  ['effect on the output', [...weights, local, cumulative, output], [45]],
])('of %s', (_what, cells, expected) => {
  expect(bestKnown({ cells }).map(({ db }) => db)).toEqual(expected);
});

it.each([
  ['int8.channel', [...weights, cumulative], [26.9]],
  ['int8.tensor', [...weights, cumulative], [26.9]],
  ['int4.channel', [...weights, cumulative], [18]],
  ['int4.channel', [...weights, cumulative, cell('w4a8', 'output', 12)], [12]],
  ['int4.channel', [...weights, cell('recipe', 'cumulative', 11)], [11]],
  ['int4.channel', weights, [41.2, 18]],
  ['int8.tensor', weights, [35]],
  ['int4.group32', [...weights, cumulative], [26.9]],
  ['float', [...weights, cumulative], [26.9]],
])('of a layer that is planned as %s', (planned, cells, expected) => {
  expect(bestKnown({ cells, planned }).map(({ db }) => db)).toEqual(expected);
});

it('of what is measured before what is estimated', () => {
  const estimate: ErrorCell = { ...output, basis: 'estimated' };
  const best = (...cells: readonly ErrorCell[]) => bestKnown({ cells }).map(({ effect }) => effect);
  expect(best(...weights, estimate)).toEqual(['output']);
  expect(best(...weights, local, estimate)).toEqual(['local']);
  expect(best(...weights, local, cumulative, estimate, output)).toEqual(['output']);
});

it.each([
  ['nothing measured', undefined, weights, 41.2],
  ['a measured error', undefined, [...weights, cumulative], 26.9],
  ['a measured error, and planned so', 'int8.channel', [...weights, cumulative], 26.9],
  ['a measured error, and planned otherwise', 'int4.channel', [...weights, cumulative], 18],
  ['two weights, of which one is planned', 'int4.channel', weights, 18],
  ['a layer that stays float', 'float', [...weights, cumulative], undefined],
])('the sign of a layer goes by the figure beside its name: %s', (_what, planned, cells, expected) => {
  expect(decisiveCell({ cells, planned })?.db).toBe(expected);
});

it('a format is called by its type where there is little room', () => {
  expect(['int4.group32', 'w8a8', 'float'].map(shortFormat)).toEqual(['int4', 'w8a8', 'float']);
});

it.each([
  ['measured', [], true],
  ['measured', ['int8', 'int8'], true],
  ['measured', ['int8', undefined], false],
  ['measured', ['int8', undefined, 'int8'], true],
  ['measured', [undefined], false],
  ['failed', [], false],
] as const)('a model that is %s with weights stored as %j', (state, stored, expected) => {
  const layers = stored.map((storedAs) => ({ storedAs }) as LayerRow);
  expect(hasNothingToQuantize({ state, layers })).toBe(expected);
});
