/** What `analyze` prints of a file that is quantized already: a row per layer, then what the graph tells. */
import type { AnalysisReport, LayerReport, QuantizedLayerFacts } from '../protocol/reports';
import { percent } from '../rules/numbers';
import { unfusedWords } from '../rules/quantized-words';
import { type Column, table } from './table';

/** The table of quantized layers; empty when no layer is quantized. */
export function quantizedTable(report: AnalysisReport): string {
  const rows = report.layers.flatMap((layer) => (layer.quantized ? [{ layer, facts: layer.quantized }] : []));
  if (rows.length === 0) return '';
  const withInput = rows.some(({ facts }) => facts.input);
  const withFusion = rows.some(({ facts }) => facts.fused !== undefined);
  const columns: Column[] = [
    { title: 'layer' },
    { title: 'op' },
    { title: 'form' },
    { title: 'weight' },
    { title: 'codes', align: 'right' },
    { title: 'eff. levels', align: 'right' },
    { title: 'reach', align: 'right' },
    { title: 'at ends', align: 'right' },
    { title: 'scales', align: 'right' },
    { title: 'sum peak', align: 'right' },
    ...(withFusion ? [{ title: 'integer' }] : []),
    ...(withInput
      ? [
          { title: 'input codes', align: 'right' as const },
          { title: 'clipped', align: 'right' as const },
        ]
      : []),
  ];
  return table(
    columns,
    rows.map(({ layer, facts }) => [
      ...weightCells(layer, facts),
      ...(withFusion ? [facts.fused === undefined ? '–' : facts.fused ? 'yes' : 'no ✗'] : []),
      ...(withInput
        ? [
            facts.input ? `${facts.input.codesUsed} of ${facts.input.levels}` : '–',
            facts.input ? percent(facts.input.clippedShare) : '–',
          ]
        : []),
    ]),
  );
}

function weightCells(layer: LayerReport, facts: QuantizedLayerFacts): readonly string[] {
  const levels = 2 ** facts.weightBits;
  return [
    layer.name,
    layer.depthwise ? `${layer.op} (depthwise)` : layer.op,
    facts.form,
    weightFormat(facts),
    `${facts.codesUsed} of ${levels}`,
    facts.effectiveLevels.toFixed(1),
    `${facts.reach.least}–${facts.reach.median}`,
    percent(facts.saturatedShare),
    facts.badScales > 0 ? `${facts.badScales} bad` : `${facts.scaleSpread.toPrecision(3)}×`,
    facts.pairSumPeak === undefined ? '–' : String(facts.pairSumPeak),
  ];
}

function weightFormat(facts: QuantizedLayerFacts): string {
  const scope = facts.granularity === 'group' ? `group${facts.groupSize ?? ''}` : facts.granularity;
  const zero = facts.zeroPointNonZero ? ' asym' : '';
  return `${facts.weightSigned ? 'int' : 'uint'}${facts.weightBits}.${scope}${zero}`;
}

/** Operators that stay float between quantizers, a line per reason. */
export function unfusedLines(report: AnalysisReport): string {
  const { unfused, conversions } = report.quantization ?? {};
  if (!unfused) return '';
  const groups = new Map<string, string[]>();
  for (const one of unfused) {
    const key = `${one.op} · ${unfusedWords[one.reason]}`;
    groups.set(key, [...(groups.get(key) ?? []), one.layer ?? one.node]);
  }
  const lines = [...groups].map(([key, names]) => {
    const shown = names.slice(0, 6).join(', ');
    return `  ${names.length} × ${key}: ${shown}${names.length > 6 ? ', …' : ''}`;
  });
  const head =
    unfused.length === 0
      ? 'onnxruntime runs every quantized operator in integers'
      : `onnxruntime keeps ${unfused.length} operators in float between quantizers`;
  return [`${head}; ${conversions ?? 0} conversions of activations stay in its graph`, ...lines].join('\n');
}
