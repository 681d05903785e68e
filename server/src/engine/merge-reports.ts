/** Reports of one model put together: header, weights, and what was measured on data. */
import type { AnalysisReport, LayerReport } from '../protocol/reports';
import type { WeightReport } from './analysis/weight-reports';
import type { Issue } from './base/issue';
import { same } from './base/same';

/** The header's report with what is known of the weights. */
export function withWeights(
  base: AnalysisReport,
  layers: readonly WeightReport[],
  issues: AnalysisReport['issues'] = [],
): AnalysisReport {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return {
    ...base,
    layers: base.layers.map((layer) => ({ ...layer, ...byName.get(layer.name) })),
    // The job opens the model too and finds again what the header told.
    issues: joined(base.issues, issues),
  };
}

function joined(known: readonly Issue[], more: readonly Issue[]): readonly Issue[] {
  return [...known, ...more.filter((one) => !known.some((other) => sameIssue(other, one)))];
}

function sameIssue(one: Issue, other: Issue): boolean {
  return one.code === other.code && JSON.stringify(one) === JSON.stringify(other);
}

/**
 * The newer report over the older one, layer by layer, so that weight errors stay when activations are measured. Layers of
 * which nothing new is told are the very same objects as before: whoever keeps something by layer finds it again.
 */
export function mergeReports(older: AnalysisReport, newer: AnalysisReport): AnalysisReport {
  const byName = new Map(older.layers.map((layer) => [layer.name, layer]));
  return {
    ...older,
    ...newer,
    data: newer.data ?? older.data,
    output: newer.output ?? older.output,
    // A run on data tells what it stands on; whatever needs no data only adds to what is known.
    issues: newer.data ? newer.issues : joined(older.issues, newer.issues),
    ...quantizationOf(older, newer),
    layers: newer.layers.map((layer) => mergeLayers(byName.get(layer.name), layer)),
  };
}

/** What the runtime's graph told stays when facts of the file alone come after it. */
function quantizationOf(older: AnalysisReport, newer: AnalysisReport): Pick<AnalysisReport, 'quantization'> {
  const [before, now] = [older.quantization, newer.quantization];
  if (!before || !now) return {};
  const merged = now.conversions === undefined ? { ...now, ...before } : { ...before, ...now };
  return { quantization: same(before, merged) ? before : merged };
}

function mergeLayers(older: LayerReport | undefined, newer: LayerReport): LayerReport {
  const quantized = newer.quantized && { ...older?.quantized, ...newer.quantized };
  const merged = { ...older, ...newer, ...(quantized ? { quantized } : {}) };
  return older && same(older, merged) ? older : merged;
}

/** A report as it was before data was run through the model. */
export function withoutActivations(report: AnalysisReport): AnalysisReport {
  const { remedies: _remedies, attention: _attention, joined: _joined, ...rest } = report;
  return { ...rest, layers: report.layers.map(bare), data: null, output: undefined };
}

function bare(layer: LayerReport): LayerReport {
  const {
    local: _local,
    localWeights: _localWeights,
    localActivations: _localActivations,
    cumulative: _cumulative,
    outputEffect: _outputEffect,
    outputEffectBasis: _outputEffectBasis,
    metrics: _metrics,
    cumulativeMetrics: _cumulativeMetrics,
    activation: _activation,
    inputChannels: _inputChannels,
    ...rest
  } = layer;
  return Object.keys(rest).length === Object.keys(layer).length ? layer : rest;
}
