/** What the client knows of scheme names: whether activations are quantized, and the name of the file written. */

/** Only ONNX files hold a graph that can be run and rewritten; the others hold weights alone. */
export function storesGraph({ path }: { readonly path: string }): boolean {
  return /\.(onnx|onnxtxt|onnxtext)$/i.test(path);
}

/** `w8a8`, `w4a8`: activations are quantized as well, so their ranges are needed. */
export function needsActivationRanges(scheme: string): boolean {
  return activationBits(scheme) !== undefined;
}

/** Bits of the activations in `wXaY`; undefined when they stay float. */
export function activationBits(scheme: string): number | undefined {
  const bits = /^w\d+a(\d+)$/.exec(scheme)?.[1];
  return bits === undefined ? undefined : Number(bits);
}

/** `/models/net.onnx` and `w8a8` become `/models/net.w8a8.onnx`. */
export function defaultOutput(modelPath: string, scheme: string): string {
  return `${modelPath.replace(/\.(onnx|onnxtxt|onnxtext)$/, '')}.${scheme}.onnx`;
}
