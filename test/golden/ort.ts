/** Runs a small model through onnxruntime itself: the strongest oracle for quantizers and packed layouts. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeModelBytes } from '../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../server/src/engine/format/onnx-types';

/** Outputs in order of the graph, as plain numbers; 4- and 2-bit outputs must be cast in the graph. */
export async function runModel(
  model: ModelProto,
  feeds: Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>> = {},
): Promise<readonly (readonly number[])[]> {
  const { value, issues } = encodeModelBytes(model);
  if (value === undefined) throw new Error(`cannot encode: ${JSON.stringify(issues)}`);
  // 'disabled': constant folding would compute the nodes under test with other kernels.
  const session = await InferenceSession.create(value, {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  const inputs = Object.entries(feeds).map(([name, { data, shape }]) => [
    name,
    new Tensor('float32', data, shape),
  ]);
  const results = await session.run(Object.fromEntries(inputs));
  const outputs = session.outputNames.map((name) => Array.from(results[name]?.data ?? [], Number));
  await session.release();
  return outputs;
}
