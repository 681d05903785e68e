/** From a report and a recipe to what the editor shows: words, verdicts, columns. Pure; no I/O. */
import { atOnce } from '../engine/base/steps';
import type { Recipe } from '../engine/format/recipe';
import { parseQuantScheme, type QuantScheme } from '../engine/numerics/scheme';
import type { Issue } from '../protocol/issues';
import type {
  AnalysisReport,
  Basis,
  Decibel,
  LayerReport,
  ModelSummary,
  UnfusedNode,
} from '../protocol/reports';
import type { AnalysisState, Effect, ErrorCell, Fact, LayerRow, ModelView } from '../protocol/views';
import { withoutIgnored } from './ignored';
import { findingsInSteps, type SeveritySettings } from './index';
import { decibels, percent, shapeText, shortBytes, shortCount } from './numbers';
import { decisiveFirst } from './order';
import { plannedFormats, plannedWeightFormat } from './planned';
import { problemLines } from './problem-lines';
import { quantizedRow } from './quantized-row';
import { isFloat, isStoredQuantized, storedAs } from './stored-type';
import type { ThresholdSettings } from './thresholds';
import { verdictOf } from './verdict';
import { editorWords, effectWords, factWords, reported } from './words';

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
  /** Findings of the report, where they are known. */
  readonly findings?: readonly Issue[];
  /** Issues of reading the file. */
  readonly problems: readonly Issue[];
}

/** Findings of a report under its recipe, the decisive ones first. */
export function findingsOf(
  report: AnalysisReport,
  recipe: Recipe | undefined,
  severities: SeveritySettings = {},
  thresholds: ThresholdSettings = {},
): readonly Issue[] {
  return atOnce(findingsOfInSteps(report, recipe, severities, thresholds));
}

/** {@link findingsOf}, stopping after each rule. */
export function* findingsOfInSteps(
  report: AnalysisReport,
  recipe: Recipe | undefined,
  severities: SeveritySettings,
  thresholds: ThresholdSettings,
): Generator<undefined, readonly Issue[]> {
  const plan = plannedFormats(report.layers, recipe, report.data?.estimator);
  yield;
  const found = yield* findingsInSteps({ report, plan }, severities, thresholds);
  return decisiveFirst(withoutIgnored(found, recipe));
}

export function modelView(input: ViewInput): ModelView {
  const { report, recipe } = input;
  const found =
    input.findings ?? (report ? findingsOf(report, recipe, input.severities, input.thresholds) : []);
  const layers = report?.layers ?? [];
  const byLayer = new Map<string, string[]>();
  for (const one of found) {
    for (const name of layersOf(one)) {
      const codes = byLayer.get(name) ?? [];
      if (!codes.includes(one.code)) byLayer.set(name, [...codes, one.code]);
    }
  }
  return {
    uri: input.uri,
    name: input.name,
    state: input.state,
    trusted: input.trusted,
    facts: report ? facts(report.model) : [],
    layers: layers.map((layer) =>
      row(layer, byLayer.get(layer.name) ?? [], recipe, report?.quantization?.unfused),
    ),
    columns: report ? columns(report) : [],
    findings: found.map(reported),
    problems: problemLines([...input.problems, ...(report?.issues ?? [])]),
    data: report?.data ?? null,
    output: report?.output,
    recipeUri: input.recipeUri,
    bytes: report?.model.bytes ?? 0,
    plannedBytes:
      recipe && report && !isStoredQuantized(report.layers) ? plannedBytes(report, recipe) : undefined,
    worstLayer: worstLayer(layers)?.name,
    inputs: report?.model.inputs,
  };
}

/** The layer a finding stands at, and those it names beside that one. */
function layersOf({ anchor, facts }: Issue): readonly string[] {
  const own = anchor.layer === undefined ? [] : [anchor.layer];
  return 'names' in facts && facts.names ? [...own, ...facts.names] : own;
}

/** The lowest figure of some layers, and what it is a figure of. */
export interface WorstFigure {
  readonly layer: LayerReport;
  readonly effect: 'weight' | 'cumulative' | 'output';
  readonly format: string;
  readonly db: number;
  readonly basis: Basis;
}

/** The layer with the lowest figure, in the metric that {@link worstFigure} chooses. */
export function worstLayer(layers: readonly LayerReport[]): LayerReport | undefined {
  return worstFigure(layers)?.layer;
}

/**
 * The lowest dB figure in the one metric that says most: effect on the output once any layer has it, else cumulative
 * error, else weight error at int8 per channel. Figures of two metrics or schemes are never compared with each other.
 */
export function worstFigure(layers: readonly LayerReport[]): WorstFigure | undefined {
  const byMetric = [
    ['output', (layer: LayerReport) => layer.outputEffect],
    ['cumulative', (layer: LayerReport) => layer.cumulative],
  ] as const;
  for (const [effect, figures] of byMetric) {
    const format = layers
      .map((layer) => Object.keys(figures(layer) ?? {})[0])
      .find((one) => one !== undefined);
    if (format !== undefined) return lowest(layers, effect, format, figures);
  }
  return lowest(layers, 'weight', 'int8.channel', (layer) => layer.weightSqnr);
}

function lowest(
  layers: readonly LayerReport[],
  effect: WorstFigure['effect'],
  format: string,
  figures: (layer: LayerReport) => Readonly<Record<string, Decibel>> | undefined,
): WorstFigure | undefined {
  let worst: WorstFigure | undefined;
  for (const layer of layers) {
    const db = figures(layer)?.[format];
    if (typeof db !== 'number' || (worst && db >= worst.db)) continue;
    const basis = (effect === 'output' ? layer.outputEffectBasis?.[format] : undefined) ?? 'measured';
    worst = { layer, effect, format, db, basis };
  }
  return worst;
}

/** `worst weight conv1: int8 40.2 dB`; while layers are being measured `worst so far, cumulative conv1: w8a8 26.9 dB`. */
export function worstText(worst: WorstFigure, name: string, state?: AnalysisState): string {
  const { effect, format, db, basis } = worst;
  const scheme = effect === 'weight' ? 'int8' : format.replace(/[^\w.:]/g, '');
  const figure = `${scheme} ${basis === 'estimated' ? '≈ ' : ''}${decibels(db)}`;
  return editorWords.worst[effect](name, figure, state === 'measuring');
}

/** Bytes of one weight stored in a format: codes in the next ONNX width plus float32 scales. */
export function storedBytes(layer: LayerReport, format: string): number | undefined {
  if (format === 'float') return layer.bytes;
  const scheme = schemeNamed(format);
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

/** Schemes by name: a table asks for the same few of every layer. */
const schemes = new Map<string, QuantScheme | undefined>();

function schemeNamed(format: string): QuantScheme | undefined {
  if (!schemes.has(format)) {
    // Names come from a closed grammar, yet nothing here grows with what somebody types.
    if (schemes.size > 200) schemes.clear();
    schemes.set(format, parseQuantScheme(format).value);
  }
  return schemes.get(format);
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
    const format = plannedWeightFormat(layer, recipe);
    const after = format === undefined ? undefined : storedBytes(layer, format);
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

interface HeldRow {
  readonly codes: string;
  readonly recipe: Recipe | undefined;
  readonly unfused: readonly UnfusedNode[] | undefined;
  readonly row: LayerRow;
}

/** The last row of each layer, so that a layer of which nothing new is known keeps its row. */
const rowsHeld = new WeakMap<LayerReport, HeldRow>();

function row(
  layer: LayerReport,
  codes: readonly string[],
  recipe: Recipe | undefined,
  unfused: readonly UnfusedNode[] | undefined,
): LayerRow {
  const held = rowsHeld.get(layer);
  const known = codes.join(' ');
  if (held?.codes === known && held.recipe === recipe && held.unfused === unfused) return held.row;
  const made = {
    ...newRow(layer, codes, recipe),
    quantized: quantizedRow(layer, unfused),
  };
  rowsHeld.set(layer, { codes: known, recipe, unfused, row: made });
  return made;
}

function newRow(layer: LayerReport, codes: readonly string[], recipe: Recipe | undefined): LayerRow {
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
    dataType: layer.dataType,
    ...(isFloat(layer) ? {} : { storedAs: storedAs(layer) }),
    planned: recipe && plannedWeightFormat(layer, recipe),
    findings: codes,
  };
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
  return [
    ...weightCells(layer, measured),
    ...measured('local', layer.local),
    ...measured('cumulative', layer.cumulative),
    ...measured('output', layer.outputEffect).map((cell) => ({
      ...cell,
      basis: layer.outputEffectBasis?.[cell.format] ?? cell.basis,
    })),
  ];
}

/** Cells of weights by their figures, which stay while everything else of a layer is measured. */
const weightCellsHeld = new WeakMap<object, { readonly of: string; readonly cells: readonly ErrorCell[] }>();

function weightCells(
  layer: LayerReport,
  measured: (effect: Effect, values: LayerReport['weightSqnr']) => readonly ErrorCell[],
): readonly ErrorCell[] {
  const { weightSqnr } = layer;
  if (!weightSqnr) return [];
  const held = weightCellsHeld.get(weightSqnr);
  // What a size follows from.
  const of = `${layer.params} ${layer.bytes} ${layer.facts?.channels}`;
  if (held?.of === of) return held.cells;
  const made = measured('weight', weightSqnr).map((cell) => ({
    ...cell,
    bytes: storedBytes(layer, cell.format),
  }));
  weightCellsHeld.set(weightSqnr, { of, cells: made });
  return made;
}

function columns(report: AnalysisReport): ModelView['columns'] {
  const has = (effect: 'local' | 'cumulative' | 'outputEffect') => [
    ...new Set(report.layers.flatMap((layer) => Object.keys(layer[effect] ?? {}))),
  ];
  const measured = (effect: 'local' | 'cumulative' | 'output') =>
    has(effect === 'output' ? 'outputEffect' : effect).map((format) => ({
      format,
      effect,
      label: `${format} ${effectWords[effect]}`,
    }));
  const weight = shownWeightFormats.map((format) => ({
    format,
    effect: 'weight' as const,
    label: `${format} ${effectWords.weight}`,
  }));
  // What says most about the network stands first, where no window is too narrow for it.
  return [
    ...measured('output'),
    ...measured('cumulative'),
    ...measured('local'),
    ...(report.layers.some((layer) => layer.weightSqnr) ? weight : []),
  ];
}

/** One sentence on a measured output, for notifications and results. */
export function outputSentence(output: { sqnr: Decibel; topOneAgreement: number | null }): string {
  const sqnr = factWords.outputFigure(output.sqnr === null ? undefined : decibels(output.sqnr));
  return output.topOneAgreement === null
    ? sqnr
    : `${sqnr}, ${factWords.agreement(percent(output.topOneAgreement))}`;
}
