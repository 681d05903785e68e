/**
 * Path of a module in PyTorch from the name of its layer. Weights keep the parameter's name in most exports; where they
 * do not, the layer is called like its node, which `torch.onnx` names after the modules around it:
 * `layer1/layer1.0/conv1`, the containers (Sequential, ModuleList) repeating the path up to them.
 */
export function modulePath(layer: string): string {
  let path = '';
  let last = '';
  for (const part of layer.split('/').filter((one) => one !== '')) {
    const repeats = last !== '' && part.startsWith(`${last}.`);
    const before = repeats ? path.slice(0, path.length - last.length) : path === '' ? '' : `${path}.`;
    path = before + part;
    last = part;
  }
  return path;
}
