/** What `analyze` prints of a file that is quantized already: a row per layer, then what the graph tells. */
import type { AnalysisReport, LayerReport, QuantizedLayerFacts } from '../protocol/reports';
import { percent } from '../rules/numbers';
import { executionOf, storedWeightFormat } from '../rules/quantized-row';
import { type Column, table } from './table';

/** The table of quantized layers; empty when no layer is quantized. */
export function quantizedTable(report: AnalysisReport): string {
  const rows = report.layers.flatMap((layer) => (layer.quantized ? [{ layer, facts: layer.quantized }] : []));
  if (rows.length === 0) return '';
  const reasons = new Map(report.quantization?.unfused?.map((one) => [one.layer, one.reason]));
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
    ...(withFusion ? [{ title: 'runs in' }] : []),
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
      ...(withFusion ? [fusedCell(facts, reasons.get(layer.name))] : []),
      ...(withInput
        ? [
            facts.input ? `${facts.input.codesUsed} of ${facts.input.levels}` : '–',
            facts.input ? clippedCell(facts.input) : '–',
          ]
        : []),
    ]),
  );
}

/** Codes alone do not tell a number that was cut off from one that rounds to the end. */
function clippedCell({ clippedShare, endsShare }: NonNullable<QuantizedLayerFacts['input']>): string {
  return clippedShare === undefined ? `at ends ${percent(endsShare)}` : percent(clippedShare);
}

function fusedCell(facts: QuantizedLayerFacts, reason: string | undefined): string {
  if (facts.fused === undefined) return '–';
  return facts.fused ? executionOf(facts) : `float ✗ ${reason ?? ''}`.trimEnd();
}

function weightCells(layer: LayerReport, facts: QuantizedLayerFacts): readonly string[] {
  const levels = 2 ** facts.weightBits;
  return [
    layer.name,
    layer.depthwise ? `${layer.op} (depthwise)` : layer.op,
    facts.form,
    storedWeightFormat(facts),
    `${facts.codesUsed} of ${levels}`,
    facts.effectiveLevels.toFixed(1),
    facts.weightFloat === undefined ? `${facts.reach.least}–${facts.reach.median}` : '–',
    facts.weightFloat === undefined ? percent(facts.saturatedShare) : '–',
    facts.badScales > 0 ? `${facts.badScales} bad` : `${facts.scaleSpread.toPrecision(3)}×`,
    facts.pairSumPeak === undefined ? '–' : String(facts.pairSumPeak),
  ];
}

/** How much of the file onnxruntime runs in integers, in one line; the finding M23 tells why. */
export function unfusedLine(report: AnalysisReport): string {
  const { unfused, conversions } = report.quantization ?? {};
  if (!unfused || conversions === undefined) return '';
  const inBlocks = report.layers.some(({ quantized }) => quantized && executionOf(quantized) === 'blocks');
  const alone = unfused.filter(({ reason }) => reason === 'weight-only').length;
  const between = unfused.length - alone;
  const parts = [
    ...(between > 0 ? [`keeps ${between} operators in float between quantizers`] : []),
    ...(alone > 0 ? [`computes ${alone} operators in float: only their weights are quantized`] : []),
  ];
  const head =
    parts.length === 0
      ? `onnxruntime runs every quantized operator ${inBlocks ? 'in integers, or in blocks with a kernel of their own' : 'in integers'}`
      : `onnxruntime ${parts.join(' and ')}`;
  return `${head}; ${conversions} conversions of activations stay in its graph`;
}
