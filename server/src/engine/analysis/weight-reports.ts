/**
 * Weight error of every layer: the standard formats on the weight as the file holds it, and the few figures findings
 * need on the weight as it will be quantized, BatchNormalization folded. Reads weights one at a time; no inference.
 */
import type { Decibel, LayerFacts, LayerReport } from '../../protocol/reports';
import { standardWeightFormats } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import type { Issue } from '../base/issue';
import type { ProgressSink } from '../base/progress';
import type { Model, Node } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import { scalarOf } from '../graph/tensor';
import { weightErrors } from '../numerics/weight-error';
import { sourceOf } from './activation-taps';
import { deadChannels, spreadOf } from './channel-spread';
import { columnOutlier, elementOutlier } from './weight-outliers';

const foldedFormats = ['int8.tensor', 'int8.channel', 'int4.tensor', 'int4.channel'] as const;
/** A report that lists thousands of dead channels helps nobody. */
const MAX_LISTED_CHANNELS = 64;

/** A channel this much smaller than the median carries next to nothing: its own SQNR is no reason for a finding. */
const INACTIVE_RATIO = 8;

/** The weight part of a layer report, merged over the header's by name. */
export type WeightReport = Pick<LayerReport, 'name' | 'weightSqnr' | 'weightRange' | 'facts' | 'quantized'>;

export interface WeightReportsInput {
  /** The model as the file holds it. */
  readonly model: Model;
  /** The same model with BatchNormalization folded; layers have the same names. */
  readonly folded: Model;
  /** Formats beside the standard ones. */
  readonly formats: readonly string[];
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  /** All reports so far, after every layer. */
  readonly partial?: (reports: readonly WeightReport[]) => void;
}

export interface WeightReportsResult {
  readonly reports: readonly WeightReport[];
  readonly issues: readonly Issue[];
}

/** Measures all layers in order. Layers whose weights are stored quantized get no figures here. */
export async function weightReports(input: WeightReportsInput): Promise<WeightReportsResult> {
  const layers = listLayers(input.model).filter((layer) => !layer.quantized);
  const folded = new Map(listLayers(input.folded).map((layer) => [layer.name, layer]));
  const formats = [...new Set([...standardWeightFormats, ...input.formats])];
  const reports: WeightReport[] = [];
  const issues: Issue[] = [];
  for (const [index, layer] of layers.entries()) {
    await checkpoint(input.signal);
    const report = reportOf(layer, folded.get(layer.name), formats, issues);
    if (report) reports.push(report);
    input.progress({
      stage: 'weights',
      done: index + 1,
      total: layers.length,
      unit: 'layers',
      detail: layer.name,
    });
    input.partial?.(reports);
  }
  return { reports, issues };
}

/**
 * Errors of some layers in formats of the caller's choice, and nothing else. Layers that are stored quantized or do
 * not exist are left out.
 */
export async function namedErrors(
  names: readonly string[],
  { model, formats, signal, progress, partial }: Omit<WeightReportsInput, 'folded'>,
): Promise<WeightReportsResult> {
  const wanted = new Set(names);
  const layers = listLayers(model).filter((layer) => !layer.quantized && wanted.has(layer.name));
  const reports: WeightReport[] = [];
  const issues: Issue[] = [];
  for (const [index, layer] of layers.entries()) {
    await checkpoint(signal);
    const errors = measure(layer, formats, issues);
    if (errors) reports.push({ name: layer.name, weightSqnr: errors.sqnr });
    progress({ stage: 'weights', done: index + 1, total: layers.length, unit: 'layers', detail: layer.name });
    partial?.(reports);
  }
  return { reports, issues };
}

function reportOf(
  layer: Layer,
  twin: Layer | undefined,
  formats: readonly string[],
  issues: Issue[],
): WeightReport | undefined {
  const raw = measure(layer, formats, issues);
  if (!raw) return undefined;
  const batchNorm = batchNormBehind(layer.node);
  const after = twin && batchNorm ? (measure(twin, foldedFormats, issues) ?? raw) : raw;
  const { channelAbsMax, min, max, nonFinite } = raw.statistics;
  const ranges = after.statistics.channelAbsMax;
  const spread = spreadOf(ranges);
  const channelSqnr = after.channelSqnr['int8.tensor'] ?? [];
  const worstChannel = lowest(
    channelSqnr,
    (channel) => (ranges[channel] ?? 0) >= spread.median / INACTIVE_RATIO,
  );
  const dead = nonFinite > 0 ? [] : deadChannels(ranges);
  const gamma = batchNorm && gammaFacts(batchNorm);
  const clipMaximum = clipBehind(batchNorm ?? layer.node);
  const read = layer.node.input(layer.activationInput);
  const inputFrom = read && sourceOf(read).producer?.op;
  const facts: LayerFacts = {
    channels: channelAbsMax.length,
    channelSpread: spread.ratio,
    widestChannel: spread.channel,
    worstChannel: Math.max(0, worstChannel),
    worstChannelSqnr: channelSqnr[worstChannel] ?? null,
    folded: pick(after.sqnr),
    deadChannels: dead.slice(0, MAX_LISTED_CHANNELS),
    notFinite: nonFinite,
    ...(batchNorm && gamma
      ? {
          batchNorm: {
            node: batchNorm.name || `BatchNormalization_${batchNorm.index}`,
            gammaSpread: gamma.ratio,
            channel: gamma.channel,
            kurtosisBefore: raw.statistics.kurtosis ?? 0,
            kurtosisAfter: after.statistics.kurtosis ?? 0,
          },
        }
      : {}),
    ...(clipMaximum === undefined ? {} : { clipMaximum }),
    ...(inputFrom === undefined ? {} : { inputFrom }),
    ...(nonFinite > 0 ? {} : outliersOf(layer, raw, issues)),
  };
  return { name: layer.name, weightSqnr: raw.sqnr, weightRange: { min, max }, facts };
}

function measure(layer: Layer, formats: readonly string[], issues: Issue[]) {
  const data = layer.tensor.toFloat32();
  issues.push(...data.issues);
  if (!data.value) return undefined;
  const errors = weightErrors(data.value, layer.shape, layer.channelAxis, formats, {
    tensor: layer.weight.name,
    channelFormats: formats.includes('int8.tensor') ? ['int8.tensor'] : [],
  });
  issues.push(...errors.issues);
  return errors.value && { ...errors.value, data: data.value };
}

/** An input column this many times the median one is measured under scales of groups. */
const COLUMN_RATIO = 8;
const groupFormats = ['int8.channel', 'int8.group32', 'int4.channel', 'int4.group32'] as const;

/** Single elements and columns that decide scales. */
function outliersOf(
  layer: Layer,
  {
    data,
    statistics,
  }: { readonly data: Float32Array; readonly statistics: { readonly channelAbsMax: ArrayLike<number> } },
  issues: Issue[],
): Pick<LayerFacts, 'element' | 'column'> {
  const { shape, channelAxis } = layer;
  const element = elementOutlier(data, shape, channelAxis, statistics.channelAbsMax);
  // A damaged element makes a column of its own.
  const column = element || layer.lookup ? undefined : columnOutlier(data, shape, channelAxis, COLUMN_RATIO);
  const sqnr = column && measure(layer, groupFormats, issues)?.sqnr;
  const gain = (bits: 'int8' | 'int4') => ({
    before: sqnr?.[`${bits}.channel`] ?? null,
    after: sqnr?.[`${bits}.group32`] ?? null,
  });
  return {
    ...(element ? { element } : {}),
    ...(column ? { column: { ...column, groups: { int8: gain('int8'), int4: gain('int4') } } } : {}),
  };
}

function pick(sqnr: Readonly<Record<string, Decibel>>): LayerFacts['folded'] {
  return {
    'int8.tensor': sqnr['int8.tensor'] ?? null,
    'int8.channel': sqnr['int8.channel'] ?? null,
    'int4.tensor': sqnr['int4.tensor'] ?? null,
    'int4.channel': sqnr['int4.channel'] ?? null,
  };
}

/** Index of the lowest figure among those that count, −1 without any. */
function lowest(values: readonly Decibel[], counts: (index: number) => boolean): number {
  let at = -1;
  values.forEach((value, index) => {
    if (!counts(index)) return;
    const best = values[at];
    if (value !== null && (best === undefined || best === null || value < best)) at = index;
  });
  return at;
}

/** The BatchNormalization that folds into a layer: its only consumer. */
function batchNormBehind(node: Node): Node | undefined {
  const next = onlyConsumer(node);
  return next?.op === 'BatchNormalization' ? next : undefined;
}

/** Upper bound of a Clip(0, maximum) right behind a node. */
function clipBehind(node: Node): number | undefined {
  const next = onlyConsumer(node);
  if (next?.op !== 'Clip') return undefined;
  const minimum = next.input(1)?.tensor
    ? scalarOfInput(next, 1)
    : next.float('min', Number.NEGATIVE_INFINITY);
  const maximum = next.input(2)?.tensor
    ? scalarOfInput(next, 2)
    : next.float('max', Number.POSITIVE_INFINITY);
  return minimum === 0 && maximum !== undefined && Number.isFinite(maximum) && maximum < 1e30
    ? maximum
    : undefined;
}

function scalarOfInput(node: Node, index: number): number | undefined {
  const tensor = node.input(index)?.tensor;
  return tensor && scalarOf(tensor);
}

function onlyConsumer(node: Node): Node | undefined {
  const output = node.output();
  return output?.uses.length === 1 ? output.uses[0]?.node : undefined;
}

/** Spread of |γ/σ| over channels, σ = √(variance + ε). */
function gammaFacts(node: Node): { ratio: number; channel: number } | undefined {
  const gamma = node.input(1)?.tensor?.toFloat32().value;
  const variance = node.input(4)?.tensor?.toFloat32().value;
  if (!gamma || !variance) return undefined;
  const epsilon = node.float('epsilon', 1e-5);
  return spreadOf(
    gamma.map((value, channel) => Math.abs(value) / Math.sqrt((variance[channel] ?? 0) + epsilon)),
  );
}
