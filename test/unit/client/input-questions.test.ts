/** What the calibration form asks of a model's inputs. */
import { expect, it } from 'vitest';
import { inputQuestions } from '../../../client/src/input-questions';
import type { ModelView } from '../../../server/src/protocol/views';

type Inputs = NonNullable<ModelView['inputs']>;

const image: Inputs = [{ name: 'image', type: 'float', shape: ['batch', 3, 224, 224] }];
const tokens: Inputs = [
  { name: 'ids', type: 'int64', shape: ['batch', 'seq'] },
  { name: 'mask', type: 'int64', shape: ['batch', 'seq'] },
];

it.each([
  ['a picture of one size', image, { dimensions: [], areIndices: false }],
  [
    'a picture of any size',
    [{ name: 'image', type: 'float', shape: ['n', 3, 'h', 'w'] }],
    { dimensions: ['h', 'w'], areIndices: false },
  ],
  ['tokens', tokens, { dimensions: ['seq'], areIndices: true }],
  ['tokens beside numbers', [...tokens, ...image], { dimensions: ['seq'], areIndices: false }],
  [
    'dimensions without a name',
    [{ name: 'x', type: 'float', shape: ['n', null, ''] }],
    { dimensions: [], areIndices: false },
  ],
  ['an unknown rank', [{ name: 'x', type: 'float', shape: null }], { dimensions: [], areIndices: false }],
] as const)('%s', (_what, inputs, expected) => expect(inputQuestions({ inputs })).toEqual(expected));

it('nothing before the header was read, and without inputs', () => {
  expect([undefined, {}, { inputs: [] }].map(inputQuestions)).toEqual([undefined, undefined, undefined]);
});
