/** Types by all names that files give them; what is stored quantized must not be offered for planning. */
import { expect, it } from 'vitest';
import type { LayerReport } from '../../../server/src/protocol/reports';
import { findingsOf } from '../../../server/src/rules/model-view';
import { isFloat, storedAs } from '../../../server/src/rules/stored-type';
import { reported } from '../../../server/src/rules/words';
import * as made from './fixtures';

const layer = (dataType: string): LayerReport => ({
  name: 'l',
  node: 'l',
  op: 'Weight',
  weight: 'l.weight',
  shape: [2, 2],
  params: 4,
  bytes: 16,
  macs: null,
  dataType,
  issues: [],
});

it.each(['float', 'float16', 'bfloat16', 'double', 'F32', 'F16', 'BF16', 'F64', 'F8_E4M3'])(
  '%s is float',
  (type) => {
    expect(isFloat(layer(type))).toBe(true);
  },
);

it.each(['int8', 'uint4', 'Q4_0', 'Q8_0', 'IQ2_XXS', 'TQ1_0', 'MXFP4', 'I8', 'U8', 'unknown', ''])(
  '%s is stored quantized',
  (type) => {
    expect(isFloat(layer(type))).toBe(false);
  },
);

it('codes that are packed into bytes are named by their own bits', () => {
  const check = (dataType: string, bits: number, signed: boolean, expected: string) => {
    const quantized = { weightBits: bits, weightSigned: signed };
    expect(storedAs({ dataType, quantized })).toBe(expected);
  };
  check('uint8', 4, false, 'uint4');
  check('uint8', 2, false, 'uint2');
  check('int4', 4, true, 'int4');
  check('uint8', 8, false, 'uint8');
  expect(storedAs(layer('Q4_0'))).toBe('Q4_0');
});

it('a finding on a weight that is stored quantized offers no change of the plan', () => {
  const fixes = (dataType: string) =>
    findingsOf(
      made.report(made.layer('a', { depthwise: true, dataType }, { channelSpread: 40 })),
      undefined,
      {},
      {},
    ).flatMap((one) => reported(one).fixes);
  expect(fixes('float')).toContain('per-channel-weights');
  expect(fixes('int8')).toEqual([]);
});
