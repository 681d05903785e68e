/**
 * The float original of a quantized file, where it lies beside it: the same name but for what tools append when they
 * convert a model, and weights of the same sizes. Headers only.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Layer, listLayers } from '../graph/layers';
import { openModel } from '../graph/open';

/** Parts of names that tell how a model was stored, not which it is. */
const storage =
  /^(u?int\d+|[us]8|fp\d+|bf16|f32|float\d*|[us]8[us]8|w\d+a\d+|q\d\w*|qdq|dq|qop(erator)?|quant\w*|dynamic|static|matmulnbits|nbits|bnb4|awq|gptq|hqq|rtn|pc|pt|perchannel|pertensor|channel|tensor|group\d+|folded|bn|ort|opt\w*|original)$/;

/** Files that are opened at most. */
const MOST = 16;

/** Share of the quantized layers that a float layer of the same size must stand for. */
const ALIKE = 0.9;

/** Path of the float original beside `file`, whose layers are given; `undefined` when there is none. */
export function floatSibling(file: string, layers: readonly Layer[]): string | undefined {
  const folder = path.dirname(file);
  const own = path.basename(file);
  const stem = stemOf(own);
  const names = fs
    .readdirSync(folder)
    .filter((name) => name !== own && /\.onnx$/i.test(name) && stemOf(name) === stem)
    .sort();
  const found = names.slice(0, MOST).find((name) => isOriginal(path.join(folder, name), layers));
  return found === undefined ? undefined : path.join(folder, found);
}

function stemOf(name: string): string {
  const parts = path
    .basename(name, path.extname(name))
    .toLowerCase()
    .split(/[._-]+/);
  return parts.filter((part) => !storage.test(part)).join(' ');
}

function isOriginal(file: string, quantized: readonly Layer[]): boolean {
  const { value } = openModel(file);
  if (!value) return false;
  try {
    const float = listLayers(value.model);
    if (float.length === 0 || float.some((layer) => layer.quantized)) return false;
    const sizes = new Map<number, number>();
    for (const { params } of float) sizes.set(params, (sizes.get(params) ?? 0) + 1);
    const alike = quantized.filter(({ params }) => {
      const left = sizes.get(params) ?? 0;
      sizes.set(params, left - 1);
      return left > 0;
    });
    return alike.length >= ALIKE * quantized.length;
  } finally {
    value.close();
  }
}
