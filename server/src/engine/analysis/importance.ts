/** Weight errors of all layers that an importance matrix covers, weighted with it. Reads weights one at a time. */
import type { Decibel } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import { type ImportanceMatrix, importanceNames } from '../format/imatrix';
import type { Model } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import { importanceErrors } from '../numerics/importance';

export interface ImportanceInput {
  readonly model: Model;
  readonly matrix: ImportanceMatrix;
  /** Complete weight formats. */
  readonly formats: readonly string[];
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
}

/** dB by layer name and format. */
export type ImportanceReport = Readonly<Record<string, Readonly<Record<string, Decibel>>>>;

/** Issues: `importance-unmatched` about layers left out; an error when the matrix covers none. */
export async function importanceReport(input: ImportanceInput): Promise<Outcome<ImportanceReport>> {
  const layers = listLayers(input.model).filter((layer) => !layer.quantized);
  const report: Record<string, Readonly<Record<string, Decibel>>> = {};
  const issues: Issue[] = [];
  const missing: string[] = [];
  const mismatched: string[] = [];
  for (const [index, layer] of layers.entries()) {
    await checkpoint(input.signal);
    const importance = importanceOf(layer, input.matrix);
    if (importance === undefined) missing.push(layer.name);
    else if (importance.length !== layer.params / (layer.shape[layer.channelAxis] ?? 0)) {
      mismatched.push(layer.name);
    } else {
      const data = layer.tensor.toFloat32();
      issues.push(...data.issues);
      const errors =
        data.value && importanceErrors(data.value, layer.shape, layer.channelAxis, input.formats, importance);
      issues.push(...(errors?.issues ?? []));
      if (errors?.value) report[layer.name] = errors.value;
    }
    const done = index + 1;
    input.progress({ stage: 'weights', done, total: layers.length, unit: 'layers', detail: layer.name });
  }
  if (hasErrors(issues)) return fail(...issues);
  const covered = Object.keys(report).length;
  if (missing.length + mismatched.length > 0) {
    const severity = covered === 0 ? 'error' : 'information';
    issues.push(issue('importance-unmatched', { covered, layers: missing, mismatched }, {}, severity));
  }
  return covered === 0 ? fail(...issues) : ok(report, issues);
}

function importanceOf(layer: Layer, matrix: ImportanceMatrix): Float32Array | undefined {
  for (const name of [layer.weight.name, layer.name].flatMap(importanceNames)) {
    const found = matrix.importance(name);
    if (found !== undefined) return found;
  }
  return undefined;
}
