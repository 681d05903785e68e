/** Progress of the output effect counts layers of the model, however many batches run through them. */
import { expect, it } from 'vitest';
import { inLayers } from '../../../../server/src/engine/handlers/measure';

it.each([
  [0, 106, { done: 0, total: 53 }],
  [41, 106, { done: 20, total: 53 }],
  [106, 106, { done: 53, total: 53 }],
  [0, 0, { done: 0, total: 53 }],
])('%i of %i parts of 53 layers', (done, total, expected) => {
  expect(inLayers(done, total, 53)).toEqual(expected);
});
