/** The identity that brings inputs into the layout of convolutions: where it stands, and that it is one. */
import { describe, expect, it } from 'vitest';
import { blockInputs } from '../../../../server/src/engine/analysis/blocked-inputs';
import type { NodeProto } from '../../../../server/src/engine/format/onnx-types';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { folded } from '../../../fixtures/quantize';
import { runTensors } from '../../../fixtures/run-tensors';

const CHANNELS = 16;

const weight = tensor('weight', [CHANNELS, CHANNELS, 1, 1], normalValues(CHANNELS * CHANNELS, 1, 0.2));
const image = ['N', CHANNELS, 5, 5];
const conv = (from: string, to: string) => node('Conv', [from, 'weight'], [to]);

type Shape = readonly (number | string)[];

const cases: readonly [string, readonly NodeProto[], Shape, boolean][] = [
  ['a sum with a convolution of it', [conv('x', 'y'), node('Add', ['y', 'x'], ['output'])], image, true],
  ['an activation before a convolution', [node('Relu', ['x'], ['y']), conv('y', 'output')], image, true],
  ['a convolution alone', [conv('x', 'output')], image, false],
  ['no convolution', [node('Relu', ['x'], ['output'])], image, false],
  ['unknown channels', [conv('x', 'y'), node('Add', ['y', 'x'], ['output'])], ['N', 'C', 5, 5], false],
];

describe('inputs in the layout of convolutions', () => {
  it.each(cases)('read by %s', async (_name, nodes, shape, expected) => {
    const proto = model({
      inputs: [valueInfo('x', shape)],
      outputs: [valueInfo('output', shape)],
      initializers: [weight],
      nodes,
    });
    const plain = folded(proto);
    const blocked = cloneModel(plain);
    blockInputs(blocked, ['x']);
    expect(verify(blocked)).toEqual([]);
    expect(blocked.graph.nodes.filter(({ op }) => op === 'AveragePool')).toHaveLength(expected ? 1 : 0);
    const data = normalValues(2 * CHANNELS * 25, 2);
    // What is not finite passes, too.
    data.set([Number.POSITIVE_INFINITY, Number.NaN, -0], 3);
    const feeds = { x: { shape: [2, CHANNELS, 5, 5], data } };
    expect((await runTensors(blocked, feeds, 'disabled')).output?.data).toEqual(
      (await runTensors(plain, feeds, 'disabled')).output?.data,
    );
  });
});
