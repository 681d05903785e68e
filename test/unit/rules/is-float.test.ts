/** Types by all names that files give them; what is stored quantized must not be offered for planning. */
import { expect, it } from 'vitest';
import type { LayerReport } from '../../../server/src/protocol/reports';
import { isFloat } from '../../../server/src/rules/model-view';

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
