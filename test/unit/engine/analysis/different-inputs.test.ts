/** Two networks that cannot read the same samples are told apart before anything runs. */
import { expect, it } from 'vitest';
import { differentInputs } from '../../../../server/src/engine/handlers/twins';
import { model, node, valueInfo } from '../../../fixtures/build';
import { folded } from '../../../fixtures/quantize';

const net = (...shape: readonly (number | string)[]) =>
  folded(
    model({
      inputs: [valueInfo('x', [...shape])],
      outputs: [valueInfo('y', undefined)],
      nodes: [node('Relu', ['x'], ['y'])],
    }),
  );

it.each([
  [['N', 3, 224, 224], ['N', 3, 32, 32], 'inputs differ: 3×224×224 against 3×32×32'],
  [[1, 3, 224, 224], ['N', 3, 32, 32], 'inputs differ: 3×224×224 against 3×32×32'],
  [[1, 8], [4, 8], undefined],
  [['N', 784], ['N', 1, 28, 28], 'inputs differ: N×784 against N×1×28×28'],
  [['N', 3, 'H', 'W'], [1, 3, 32, 32], undefined],
  [[1, 8], [1, 8], undefined],
])('%j against %j', (one, other, said) => {
  expect(differentInputs(net(...one), net(...other))).toBe(said);
});
