/** From a report and a recipe to what the editor shows: words, verdicts, columns. Pure; no I/O. */
import { dataTypeByName } from '../engine/base/dtype';
import type { Recipe } from '../engine/format/recipe';
import { parseQuantScheme } from '../engine/numerics/scheme';
import type { Issue } from '../protocol/issues';
import type { AnalysisReport, Decibel, LayerReport, ModelSummary } from '../protocol/reports';
import type { AnalysisState, Effect, ErrorCell, Fact, LayerRow, ModelView } from '../protocol/views';
import { withoutIgnored } from './ignored';
import { findings, type SeveritySettings } from './index';
import { decibels, percent, shapeText, shortBytes, shortCount } from './numbers';
import { plannedFormats, plannedWeightFormat } from './planned';
import type { ThresholdSettings } from './thresholds';
import { verdictOf } from './verdict';
import { effectWords, factWords, line, reported } from './words';

/** Weight formats shown as columns, best first. */
const shownWeightFormats = ['int8.tensor', 'int8.channel', 'int4.channel', 'int4.group32'] as const;

export interface ViewInput {
  readonly uri: string;
  readonly name: string;
  readonly state: AnalysisState;
  readonly trusted: boolean;
  readonly report: AnalysisReport | undefined;
  readonly recipe: Recipe | undefined;
  readonly recipeUri: string | undefined;
  readonly severities: SeveritySettings;
  readonly thresholds?: ThresholdSettings;
  /** Issues of reading the file. */
  readonly problems: readonly Issue[];
}

/** Findings of a report under its recipe, sorted by severity as the rules list them. */
export function findingsOf(
  report: AnalysisReport,
  recipe: Recipe | undefined,
  severities: SeveritySettings = {},
  thresholds: ThresholdSettings = {},
): readonly Issue[] {
  const plan = plannedFormats(report.layers, recipe);
  return withoutIgnored(findings({ report, plan }, severities, thresholds), recipe);
}

export function modelView(input: ViewInput): ModelView {
  const { report, recipe } = input;
  const found = report ? findingsOf(report, recipe, input.severities, input.thresholds) : [];
  const layers = report?.layers ?? [];
  const byLayer = new Map<string, string[]>();
  for (const one of found) {
    if (one.anchor.layer === undefined) continue;
    const codes = byLayer.get(one.anchor.layer) ?? [];
    codes.push(one.code);
    byLayer.set(one.anchor.layer, codes);
  }
  return {
    uri: input.uri,
    name: input.name,
    state: input.state,
    trusted: input.trusted,
    facts: report ? facts(report.model) : [],
    layers: layers.map((layer) => row(layer, byLayer.get(layer.name) ?? [], recipe)),
    columns: report ? columns(report) : [],
    findings: found.map(reported),
    problems: [...input.problems, ...(report?.issues ?? [])].map(line),
    data: report?.data ?? null,
    output: report?.output,
    recipeUri: input.recipeUri,
    bytes: report?.model.bytes ?? 0,
    plannedBytes: recipe && report ? plannedBytes(report, recipe) : undefined,
    worstLayer: worstLayer(layers)?.name,
  };
}

/** Layer with the lowest weight error at int4 per channel: the first one low bits will hurt. */
export function worstLayer(layers: readonly LayerReport[]): LayerReport | undefined {
  let worst: LayerReport | undefined;
  for (const layer of layers) if (rank(layer) < rank(worst)) worst = layer;
  return worst;
}

function rank(layer: LayerReport | undefined): number {
  const measured = layer?.cumulative && Object.values(layer.cumulative)[0];
  return measured ?? layer?.weightSqnr?.['int8.channel'] ?? Number.POSITIVE_INFINITY;
}

/** Bytes of one weight stored in a format: codes in the next ONNX width plus float32 scales. */
export function storedBytes(layer: LayerReport, format: string): number | undefined {
  if (format === 'float') return layer.bytes;
  const scheme = parseQuantScheme(format).value;
  if (!scheme) return undefined;
  const width = scheme.bits <= 4 ? 4 : scheme.bits <= 8 ? 8 : 16;
  const channels = layer.facts?.channels ?? 1;
  const { granularity } = scheme;
  const perChannel = Math.max(1, layer.params / channels);
  const scales =
    granularity === 'tensor'
      ? 1
      : granularity === 'channel'
        ? channels
        : channels * Math.ceil(perChannel / granularity.group);
  const zeroPoints = Math.ceil((scales * Math.min(width, 8)) / 8);
  return Math.ceil((layer.params * width) / 8) + scales * 4 + zeroPoints;
}

/**
 * What a quantized layer adds to a file beside its weight, in bytes: DequantizeLinear nodes and names; with quantized
 * activations also Q/DQ pairs, and scale and zero point of the int32 bias per channel. Fitted to exports of networks
 * with 20 to 53 layers; the prediction is shown with "≈".
 */
const overhead = { weightOnly: 350, activations: 1800, perChannel: 8 } as const;

/** A folded BatchNormalization: four vectors and its node go, a bias comes. */
const folded = { node: 250, perChannel: 4 * 4 - 4 } as const;

/** Predicted bytes of the model file after a recipe. An estimate: see {@link overhead}. */
export function plannedBytes(report: AnalysisReport, recipe: Recipe): number {
  const plan = plannedFormats(report.layers, recipe);
  let bytes = report.model.bytes;
  for (const layer of report.layers) {
    const channels = layer.facts?.channels ?? 0;
    if (layer.facts?.batchNorm) bytes -= folded.node + folded.perChannel * channels;
    const after = storedBytes(layer, plannedWeightFormat(layer, recipe));
    const planned = plan.layers.get(layer.name);
    if (after === undefined || !planned || planned.granularity === 'float') continue;
    bytes += after - layer.bytes;
    bytes += planned.activations
      ? overhead.activations + overhead.perChannel * channels
      : overhead.weightOnly;
  }
  return Math.max(0, Math.round(bytes));
}

function facts(model: ModelSummary): readonly Fact[] {
  const all: (Fact | undefined)[] = [
    {
      label: factWords.format,
      value: model.format === 'onnx' ? factWords.onnx(String(model.opset ?? '?')) : model.format,
    },
    model.producer ? { label: factWords.producer, value: model.producer } : undefined,
    { label: factWords.parameters, value: shortCount(model.params), detail: String(model.params) },
    { label: factWords.size, value: shortBytes(model.bytes), detail: factWords.bytes(model.bytes) },
    // A file of weights alone has no nodes to count.
    ...(model.format === 'onnx' || model.format === 'onnxtxt' ? graphFacts(model) : []),
    ...model.inputs.map((input) => ({
      label: factWords.input(input.name),
      value: typeText(input.type, input.shape),
    })),
    ...model.outputs.map((output) => ({
      label: factWords.output(output.name),
      value: typeText(output.type, output.shape),
    })),
  ];
  return all.filter((fact) => fact !== undefined);
}

function graphFacts({ macs, macsReason, nodes }: ModelSummary): readonly Fact[] {
  return [
    macs === null
      ? { label: factWords.macs, value: '–', detail: macsReason }
      : { label: factWords.macs, value: factWords.perSample(shortCount(macs)), detail: String(macs) },
    { label: factWords.nodes, value: String(nodes) },
  ];
}

function typeText(type: string, shape: readonly (number | string | null)[] | null): string {
  return shape === null ? type : `${type} ${shapeText(shape)}`;
}

function row(layer: LayerReport, codes: readonly string[], recipe: Recipe | undefined): LayerRow {
  return {
    name: layer.name,
    node: layer.node,
    op: layer.op,
    shape: layer.shape,
    params: layer.params,
    bytes: layer.bytes,
    macs: layer.macs,
    depthwise: layer.depthwise ?? false,
    range: layer.weightRange,
    cells: cells(layer),
    ...(isFloat(layer) ? {} : { storedAs: layer.dataType }),
    planned: recipe && plannedWeightFormat(layer, recipe),
    findings: codes,
  };
}

/** False for weights that are stored quantized: nothing is left to plan. Weight files have names of their own. */
export function isFloat({ dataType }: LayerReport): boolean {
  return dataTypeByName(dataType)?.kind === 'float' || /^B?F(8_.*|16|32|64)$/.test(dataType);
}

/** Every dB figure of a layer, weight errors first. */
export function cells(layer: LayerReport): readonly ErrorCell[] {
  const measured = (effect: Effect, values: Readonly<Record<string, Decibel>> | undefined): ErrorCell[] =>
    Object.entries(values ?? {}).map(([format, db]) => ({
      format,
      effect,
      db,
      verdict: verdictOf(db),
      basis: 'measured',
    }));
  const weight = measured('weight', layer.weightSqnr).map((cell) => ({
    ...cell,
    bytes: storedBytes(layer, cell.format),
  }));
  return [
    ...weight,
    ...measured('local', layer.local),
    ...measured('cumulative', layer.cumulative),
    ...measured('output', layer.outputEffect).map((cell) => ({
      ...cell,
      basis: layer.outputEffectBasis?.[cell.format] ?? cell.basis,
    })),
  ];
}

function columns(report: AnalysisReport): ModelView['columns'] {
  const weight = shownWeightFormats.map((format) => ({ format, effect: 'weight' as const, label: format }));
  const has = (effect: 'local' | 'cumulative' | 'outputEffect') => [
    ...new Set(report.layers.flatMap((layer) => Object.keys(layer[effect] ?? {}))),
  ];
  return [
    ...(report.layers.some((layer) => layer.weightSqnr) ? weight : []),
    ...has('local').map((format) => ({
      format,
      effect: 'local' as const,
      label: `${format} ${effectWords.local}`,
    })),
    ...has('cumulative').map((format) => ({
      format,
      effect: 'cumulative' as const,
      label: `${format} ${effectWords.cumulative}`,
    })),
    ...has('outputEffect').map((format) => ({
      format,
      effect: 'output' as const,
      label: `${format} ${effectWords.output}`,
    })),
  ];
}

/** One sentence on a measured output, for notifications and results. */
export function outputSentence(output: { sqnr: Decibel; topOneAgreement: number | null }): string {
  const sqnr = factWords.outputFigure(output.sqnr === null ? undefined : decibels(output.sqnr));
  return output.topOneAgreement === null
    ? sqnr
    : `${sqnr}, ${factWords.agreement(percent(output.topOneAgreement))}`;
}
