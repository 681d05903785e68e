/**
 * Weight error weighted with the importance of input columns: 10·log10(Σ d_k·w² / Σ d_k·(w − ŵ)²), d_k the mean square of
 * the activation that column k meets. It is the error of the layer's output as long as columns do not correlate, since
 * tr(ΔW·G·ΔWᵀ) with G = diag(d). Source: llama.cpp, quantization with an importance matrix.
 */
import { invariant } from '../base/invariant';
import { andThen, type Outcome, ok } from '../base/outcome';
import { channelView, forEachRun } from './layout';
import { levelFakeQuantize } from './level-error';
import { levelFormat } from './level-formats';
import { sqnr } from './metrics';
import { dequantizeWeight, quantizeWeight } from './quantize-weight';
import { parseQuantScheme } from './scheme';

/**
 * dB per format; null where nothing counts or the weight holds NaN or infinities.
 * @param importance one value ≥ 0 per element of an output channel, in order of the flattened inputs.
 * Issues: `scheme-unknown`, `not-implemented` for the formats.
 */
export function importanceErrors(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number,
  formats: readonly string[],
  importance: Float32Array,
): Outcome<Readonly<Record<string, number | null>>> {
  const view = channelView(shape, channelAxis);
  invariant(importance.length === view.perChannel, 'importance has one value per input of a channel');
  const weighted = (difference: (index: number) => number) => {
    let sum = 0;
    forEachRun(view, 0, view.count, (_channel, k, from, to) => {
      for (let i = from; i < to; i++) sum += (importance[k + i - from] ?? 0) * difference(i) ** 2;
    });
    return sum;
  };
  const signal = weighted((index) => data[index] ?? 0);
  const finite = data.every(Number.isFinite);
  const found: Record<string, number | null> = {};
  for (const format of formats) {
    const kept = remains(data, shape, channelAxis, format);
    if (kept.value === undefined) return { value: undefined, issues: kept.issues };
    const values = kept.value;
    const noise = weighted((index) => (data[index] ?? 0) - (values[index] ?? 0));
    found[format] = finite ? sqnr({ signal, noise }) : null;
  }
  return ok(found);
}

/** What is left of a weight in any format that `weightErrors` measures. */
function remains(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number,
  name: string,
): Outcome<Float32Array> {
  const level = levelFormat(name);
  if (level !== undefined) return ok(levelFakeQuantize(data, shape, channelAxis, level));
  return andThen(parseQuantScheme(name), (scheme) =>
    ok(dequantizeWeight(quantizeWeight(data, shape, channelAxis, scheme), shape, channelAxis)),
  );
}
