/**
 * What the analyser knows of libraries: one canonical path per function although libraries moved and re-exported them,
 * which calls hand a network through, and what makes a file worth looking at. A table, no logic.
 */

export { frameworks } from '../protocol/frameworks';

/** Prefixes under which the same functions are found; the first that matches is replaced. */
const prefixes: readonly (readonly [from: string, to: string])[] = [
  ['torch.quantization.quantize_fx.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.quantize_fx.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.quantize_pt2e.', 'torch.ao.quantization.'],
  ['torchao.quantization.pt2e.quantize_pt2e.', 'torchao.quantization.pt2e.'],
  ['torch.quantization.quantize.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.quantize.', 'torch.ao.quantization.'],
  ['torch.quantization.fuse_modules.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.fuse_modules.', 'torch.ao.quantization.'],
  ['torch.quantization.qconfig.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.qconfig.', 'torch.ao.quantization.'],
  ['torch.quantization.observer.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.observer.', 'torch.ao.quantization.'],
  ['torch.quantization.fake_quantize.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.fake_quantize.', 'torch.ao.quantization.'],
  ['torch.quantization.stubs.', 'torch.ao.quantization.'],
  ['torch.ao.quantization.stubs.', 'torch.ao.quantization.'],
  ['torch.quantization.', 'torch.ao.quantization.'],
  ['torch.nn.intrinsic.qat.modules.conv_fused.', 'torch.nn.intrinsic.qat.'],
  ['torchao.quantization.quant_api.', 'torchao.quantization.'],
  ['onnxruntime.quantization.quantize.', 'onnxruntime.quantization.'],
  ['onnxruntime.quantization.shape_inference.', 'onnxruntime.quantization.'],
  ['onnxruntime.quantization.preprocess.', 'onnxruntime.quantization.'],
  ['onnxruntime.quantization.calibrate.', 'onnxruntime.quantization.'],
  ['onnxruntime.quantization.quant_utils.', 'onnxruntime.quantization.'],
  ['transformers.utils.quantization_config.', 'transformers.'],
  ['tensorflow.compat.v1.lite.', 'tensorflow.lite.'],
  ['torch.nn.modules.', 'torch.nn.'],
];

/** One path for a function however it was imported: `torch.quantization.prepare` → `torch.ao.quantization.prepare`. */
export function canonicalPath(path: string): string {
  for (const [from, to] of prefixes) if (path.startsWith(from)) return to + path.slice(from.length);
  return path;
}

/** Functions whose result is the network they were given, changed or wrapped: canonical path → position of the network. */
export const passesThrough: ReadonlyMap<string, number> = new Map([
  ['torch.ao.quantization.prepare', 0],
  ['torch.ao.quantization.prepare_qat', 0],
  ['torch.ao.quantization.convert', 0],
  ['torch.ao.quantization.prepare_fx', 0],
  ['torch.ao.quantization.prepare_qat_fx', 0],
  ['torch.ao.quantization.convert_fx', 0],
  ['torch.ao.quantization.prepare_pt2e', 0],
  ['torch.ao.quantization.prepare_qat_pt2e', 0],
  ['torch.ao.quantization.convert_pt2e', 0],
  ['torchao.quantization.pt2e.prepare_pt2e', 0],
  ['torchao.quantization.pt2e.prepare_qat_pt2e', 0],
  ['torchao.quantization.pt2e.convert_pt2e', 0],
  ['torch.ao.quantization.fuse_modules', 0],
  ['torch.ao.quantization.fuse_modules_qat', 0],
  ['torch.ao.quantization.fuse_fx', 0],
  ['torch.ao.quantization.quantize_dynamic', 0],
  ['torch.ao.quantization.QuantWrapper', 0],
  ['torch.ao.quantization.add_quant_dequant', 0],
  ['torch.ao.quantization.move_exported_model_to_eval', 0],
  ['torch.ao.quantization.move_exported_model_to_train', 0],
  ['torch.nn.DataParallel', 0],
  ['torch.nn.parallel.DistributedDataParallel', 0],
  ['torch.compile', 0],
  ['torch.jit.script', 0],
  ['torch.jit.trace', 0],
  ['copy.deepcopy', 0],
  ['copy.copy', 0],
]);

/** Methods of a network that return the network. */
export const selfMethods: ReadonlySet<string> = new Set([
  'eval',
  'train',
  'to',
  'cuda',
  'cpu',
  'float',
  'half',
  'double',
  'bfloat16',
  'requires_grad_',
  'module',
]);
