/** Which Python files concern us at all: those that import one of these. Client and server ask the text first. */

/** Imports that make a file ours; nothing else is analysed. */
export const frameworks: ReadonlySet<string> = new Set([
  'torch',
  'torchvision',
  'torchao',
  'pytorch_lightning',
  'lightning',
  'tensorflow',
  'tensorflow_model_optimization',
  'keras',
  'onnx',
  'onnxruntime',
  'transformers',
  'optimum',
  'bitsandbytes',
  'auto_gptq',
  'gptqmodel',
  'awq',
  'llmcompressor',
  'modelopt',
  'neural_compressor',
  'aimet_torch',
  'aimet_onnx',
  'safetensors',
]);

const mention = new RegExp(`\\b(?:${[...frameworks].join('|')})\\b`);

/** True when a text mentions a framework; whether it is an import, the parser tells. */
export function mentionsFramework(text: string): boolean {
  return mention.test(text);
}
