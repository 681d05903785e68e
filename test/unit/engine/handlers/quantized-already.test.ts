/** What is said of a quantized file that shall be quantized: once, with its float original where that lies beside it. */
import * as path from 'node:path';
import { expect, it } from 'vitest';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { quantizeHandler } from '../../../../server/src/engine/handlers/quantize';
import { line } from '../../../../server/src/rules/words';
import { gemmNet, matmulNet } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();

async function refusal(file: string) {
  const job = {
    kind: 'quantize',
    model: file,
    output: path.join(path.dirname(file), 'out.onnx'),
    scheme: 'int8',
    keepFloat: [],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await quantizeHandler(job, context);
  expect(value).toBeUndefined();
  return issues;
}

it('names the float original beside it, told by its name and the sizes of its weights', async () => {
  const codes = folder.model('net_int8_qdq.onnx', toOnnx((await quantized(matmulNet(), 'w8a8')).model));
  const alone = await refusal(codes);
  expect(alone).toMatchObject([{ code: 'quantized-already', severity: 'error' }]);
  expect(alone[0]?.facts).not.toHaveProperty('original');
  // The name alone is not enough: this is another network.
  folder.model('net_float.onnx', gemmNet(7, 3));
  expect((await refusal(codes))[0]?.facts).not.toHaveProperty('original');
  const original = folder.model('net_fp32.onnx', matmulNet());
  const [found] = await refusal(codes);
  expect(found?.facts).toMatchObject({ original });
  expect(found && line(found)).toContain(`quantize its float original, ${original}, instead.`);
});
