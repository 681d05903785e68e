/**
 * One layer's formats on one target: which of them can be written, in which form and element type, with which operator
 * set, and how many bytes that takes.
 */

import { isLookupTable, isUnusualPlace, unwritableReason } from '../analysis/becomes';
import { dataTypeByCode } from '../base/dtype';
import { floatName } from '../base/format-names';
import type { Issue, Severity } from '../base/issue';
import type { Layer } from '../graph/layers';
import { type OpType, opTable } from '../graph/ops';
import { channelView, groupsPerChannel, scopeCount } from '../numerics/layout';
import {
  formatName,
  parseActivationFormat,
  parseWeightFormat,
  type QuantScheme,
  weightSchemeFor,
} from '../numerics/scheme';
import type { PlanChange, PlanReason, WeightForm } from './plan-types';
import { quantizeOpset, type StorageType, storageBits, storageType, type TargetFacts } from './targets';

/** What was asked for one layer. */
export interface Choice {
  readonly weights: string;
  readonly activations: string;
  readonly why: PlanReason;
}

/** A format that was asked for and cannot be written. */
export interface Refusal {
  readonly format: string;
  readonly reason: string;
  readonly severity: Severity;
}

export interface LayerForm {
  readonly weights: string;
  readonly activations: string;
  readonly form: WeightForm;
  readonly storage: StorageType | 'float';
  readonly changes: readonly PlanChange[];
  readonly refused: readonly Refusal[];
  readonly bytes: number;
  readonly bytesIdeal: number;
  /** Default operator set that avoids nodes of the com.microsoft domain where there is a choice. */
  readonly opset: number;
}

/**
 * Decides one layer in a model whose operator set is `opset`.
 * @param settled the operator set will not be raised any more: what it lacks is refused now.
 */
export function chooseForm(
  layer: Layer,
  choice: Choice,
  target: TargetFacts,
  opset: number,
  settled: boolean,
): LayerForm {
  const draft = new Draft();
  if (layer.quantized) {
    if (choice.weights !== floatName)
      draft.keep('layer', choice.weights, 'the weight is quantized already', 'warning');
    return draft.finish(layer, undefined, undefined, opset);
  }
  const unwritable = unwritableReason(layer);
  if (unwritable !== undefined) {
    if (choice.weights !== floatName) draft.keep('layer', choice.weights, unwritable, 'warning');
    return draft.finish(layer, undefined, undefined, opset);
  }
  const lowest = settled ? opset : Number.POSITIVE_INFINITY;
  const asked = chooseWeights(layer, choice.weights, target, lowest, draft);
  // A lookup reads indices: there is no activation to quantize.
  const activations = layer.lookup ? undefined : chooseActivations(layer, choice.activations, lowest, draft);
  const weights = asked && activations ? runnable(layer, asked, target, activations, draft) : asked;
  const kernel =
    weights?.form === 'dequantize' && hasIntegerKernel(layer, target, weights.scheme, activations, opset);
  const form = draft.finish(layer, weights, activations, opset, kernel);
  if (activations === undefined || kernel || weights === undefined) return form;
  return { ...form, changes: [...form.changes, { kind: 'no-integer-kernel' }] };
}

/** Gemm that computes x·W + b: MatMulNBits and Add say the same. */
export function isPlainGemm(layer: Layer): boolean {
  const { node } = layer;
  return (
    node.op === 'Gemm' &&
    node.int('transA', 0) === 0 &&
    node.float('alpha', 1) === 1 &&
    node.float('beta', 1) === 1
  );
}

/**
 * True when the target computes this layer on integers: activations of up to 8 bits, weights stored in 8 bits or
 * widened to them by the operator set `opset`.
 */
export function hasIntegerKernel(
  layer: Layer,
  target: TargetFacts,
  weights: QuantScheme | undefined,
  activations: QuantScheme | undefined,
  opset: number,
): boolean {
  const kernel = Object.hasOwn(opTable, layer.op) ? target.layerKernels[layer.op as OpType] : undefined;
  if (kernel === undefined || weights === undefined || activations === undefined) return false;
  if (isUnusualPlace(layer)) return false;
  if (layer.op === 'Gemm' && !isPlainGemm(layer)) return false;
  if (activations.bits > 8 || activations.signed) return false;
  const type = storageType(weights.bits, weights.signed, opset);
  const widened = target.widened[type];
  if (storageBits[type] !== 8 && (widened === undefined || opset < widened.opset)) return false;
  return typeof weights.granularity === 'string';
}

/** MatMulNBits' block for a group: no longer than the padding of a channel that is one group asks for. */
export function nbitsBlock(group: number, perChannel: number): number {
  return Math.min(group, Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(perChannel, 1)))));
}

/** GatherBlockQuantized's block: the group, or one that holds a whole row. */
export function gatherBlock(width: number, group: number | undefined): number {
  return group ?? Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(width, 1))));
}

interface ChosenWeights {
  readonly scheme: QuantScheme;
  readonly form: Exclude<WeightForm, 'float'>;
}

/**
 * Between quantized activations onnxruntime takes a stack of matrices for its integer kernel whatever its scales are,
 * and the kernel then refuses one per column when it runs: the stack gets one scale.
 */
function runnable(
  layer: Layer,
  asked: ChosenWeights,
  target: TargetFacts,
  activations: QuantScheme,
  draft: Draft,
): ChosenWeights {
  const kernel = Object.hasOwn(opTable, layer.op) ? target.layerKernels[layer.op as OpType] : undefined;
  const { scheme, form } = asked;
  if (!kernel?.matrixScalesOnly || layer.shape.length <= 2 || activations.bits > 8) return asked;
  if (form !== 'dequantize' || scheme.granularity === 'tensor') return asked;
  const single: QuantScheme = { ...scheme, granularity: 'tensor' };
  draft.changes.push({ kind: 'one-scale', from: formatName(scheme), to: formatName(single) });
  return { scheme: single, form };
}

/** Collects changes and refusals while a layer is decided. */
class Draft {
  readonly changes: PlanChange[] = [];
  readonly refused: Refusal[] = [];

  keep(
    part: 'weights' | 'activations' | 'layer',
    format: string,
    reason: string,
    severity: Severity = 'error',
  ): undefined {
    this.changes.push({ kind: 'kept-float', part, reason });
    this.refused.push({ format, reason, severity });
    return undefined;
  }

  finish(
    layer: Layer,
    weights: ChosenWeights | undefined,
    activations: QuantScheme | undefined,
    present: number,
    kernel = false,
  ): LayerForm {
    const stored = weights === undefined ? undefined : storage(layer, weights, present, kernel);
    const sizes = stored === undefined ? floatSizes(layer) : stored.sizes;
    const { changes, refused } = this;
    let opset = stored?.opset ?? 0;
    let contrib = stored?.contrib ?? 0;
    if (stored) changes.push(...stored.changes);
    if (activations !== undefined) {
      const type = storageType(Math.max(activations.bits, 8), activations.signed, present);
      opset = Math.max(opset, activations.bits < 8 ? integerClip : 0, quantizeOpset(type, 'tensor'));
      contrib = Math.max(contrib, quantizeOpset(type, 'tensor'));
    }
    if (contrib > present) changes.push({ kind: 'contrib-quantize', needed: contrib });
    return {
      weights: weights === undefined ? floatName : formatName(weights.scheme),
      activations: activations === undefined ? floatName : formatName(activations),
      form: stored?.form ?? 'float',
      storage: stored?.type ?? 'float',
      changes,
      refused,
      ...sizes,
      opset,
    };
  }
}

/** First operator set with QLinearConv and QLinearMatMul: onnxruntime fuses to them whatever the model says. */
const integerKernels = 10;

/** First operator sets whose Clip takes 8-bit integers, and whose Slice takes its bounds as inputs. */
const integerClip = 12;
const sliceWithInputs = 10;

function chooseWeights(
  layer: Layer,
  format: string,
  target: TargetFacts,
  lowest: number,
  draft: Draft,
): ChosenWeights | undefined {
  if (format === floatName) return undefined;
  const parsed = parseWeightFormat(format);
  if (parsed.value === undefined) return draft.keep('weights', format, refusalText(parsed.issues));
  const nbits = fitsMatMulNBits(layer) && target.matMulNBits !== undefined;
  const scheme = weightSchemeFor(parsed.value, nbits ? 'matmul' : 'other');
  const name = formatName(scheme);
  if (name !== format && !name.startsWith(`${format}.sym`))
    draft.changes.push({ kind: 'completed', from: format, to: name });
  const looksUp = isLookupTable(layer) && target.gatherBlocks && fitsLookup(layer, scheme);
  const form = looksUp ? 'gather-blocks' : weightForm(layer, scheme, nbits ? target : undefined);
  if (form === 'blocks' && lowest < sliceWithInputs)
    return draft.keep('weights', format, `opset ${lowest} is too old for groups`);
  if (form === 'matmul-nbits' && layer.op === 'Gemm') draft.changes.push({ kind: 'gemm-split' });
  return { scheme, form };
}

function chooseActivations(
  layer: Layer,
  format: string,
  lowest: number,
  draft: Draft,
): QuantScheme | undefined {
  if (format === floatName) return undefined;
  const parsed = parseActivationFormat(format);
  if (parsed.value === undefined) return draft.keep('activations', format, refusalText(parsed.issues));
  if (parsed.value === 'float') return undefined;
  if (layer.inner) {
    const reason = `it multiplies with a state inside ${layer.node.opType}`;
    draft.changes.push({ kind: 'kept-float', part: 'activations', reason });
    return undefined;
  }
  if (layer.node.graph?.parent !== undefined) {
    return draft.keep('activations', format, 'ranges inside a subgraph cannot be calibrated', 'warning');
  }
  if (isUnusualPlace(layer)) {
    const reason = `the constant of ${layer.node.opType} is its left operand`;
    return draft.keep('activations', format, reason, 'warning');
  }
  const type = dataTypeByCode(layer.tensor.dataType);
  if (type?.name !== 'float') {
    return draft.keep(
      'activations',
      format,
      `the layer computes in ${type?.name ?? 'an unknown type'}, not in float32`,
    );
  }
  if (lowest < integerKernels) {
    return draft.keep('activations', format, `opset ${lowest} has no integer operators; they came with 10`);
  }
  if (parsed.value.bits < 8 && lowest < integerClip) {
    return draft.keep(
      'activations',
      format,
      `opset ${lowest} cannot limit codes to ${parsed.value.bits} bits`,
    );
  }
  return parsed.value;
}

/** Codes that GatherBlockQuantized looks up. */
function fitsLookup(layer: Layer, { bits }: QuantScheme): boolean {
  // The kernel returns one number too many for every row that ends within a byte.
  return bits <= 8 && (bits > 4 || (layer.shape[1] ?? 0) % 2 === 0);
}

/** MatMul, or a Gemm that is one, with a 2-D float32 weight. */
function fitsMatMulNBits(layer: Layer): boolean {
  if (layer.shape.length !== 2 || isUnusualPlace(layer)) return false;
  if (dataTypeByCode(layer.tensor.dataType)?.name !== 'float') return false;
  return layer.op === 'MatMul' || isPlainGemm(layer);
}

function weightForm(
  layer: Layer,
  scheme: QuantScheme,
  target: TargetFacts | undefined,
): ChosenWeights['form'] {
  const { granularity } = scheme;
  if (typeof granularity === 'string') return 'dequantize';
  const block = granularity.group;
  const limits = target?.matMulNBits;
  if (limits && scheme.bits <= 8 && block >= limits.smallestBlock && block <= limits.largestBlock)
    return 'matmul-nbits';
  // A group that holds a whole channel is the channel.
  if (block >= channelView(layer.shape, layer.channelAxis).perChannel) return 'dequantize';
  return 'blocks';
}

interface Stored {
  readonly form: WeightForm;
  readonly type: StorageType;
  readonly sizes: { readonly bytes: number; readonly bytesIdeal: number };
  readonly changes: readonly PlanChange[];
  /** Operator set to aim for, and the one that this form needs to stay clear of com.microsoft. */
  readonly opset: number;
  readonly contrib: number;
}

function storage(layer: Layer, chosen: ChosenWeights, present: number, kernel: boolean): Stored {
  if (chosen.form === 'gather-blocks') return tableStorage(layer, chosen.scheme);
  const { scheme, form } = chosen;
  const { bits, signed, symmetric, granularity } = scheme;
  const view = channelView(layer.shape, layer.channelAxis);
  const scopes = scopeCount(view, granularity);
  const nbits = form === 'matmul-nbits';
  const type: StorageType = nbits
    ? (`uint${bits <= 2 ? 2 : bits <= 4 ? 4 : 8}` as StorageType)
    : storageType(bits, signed, present);
  const width = storageBits[type];
  const zeroPoints = !(signed && symmetric);
  const group = typeof granularity === 'string' ? undefined : granularity.group;
  const groups = group === undefined ? 1 : groupsPerChannel(view, group);
  const block = nbits && group !== undefined ? nbitsBlock(group, view.perChannel) : group;
  // Below opset 21 there is no block_size: one row of codes per group says the same.
  const written: WeightForm = form === 'blocks' && present < 21 ? 'rows' : form;
  const padded =
    block !== undefined && (nbits || written === 'rows') ? view.channels * groups * block : view.count;
  const zeroPointBytes = nbits
    ? view.channels * Math.ceil((groups * width) / 8)
    : Math.ceil((scopes * (kernel ? 8 : width)) / 8);
  const scales = granularity === 'tensor' ? 'tensor' : 'axis';
  return {
    form: written,
    type,
    sizes: {
      bytes: Math.ceil((padded * width) / 8) + scopes * 4 + (nbits && !zeroPoints ? 0 : zeroPointBytes),
      bytesIdeal:
        Math.ceil((view.count * bits) / 8) + scopes * 4 + (zeroPoints ? Math.ceil((scopes * bits) / 8) : 0),
    },
    changes: width === bits ? [] : [{ kind: 'stored-wider', bits, storage: type }],
    opset: nbits ? 0 : quantizeOpset(type, form === 'blocks' ? 'blocks' : scales),
    contrib: nbits ? 0 : quantizeOpset(type, written === 'blocks' ? 'blocks' : scales),
  };
}

/** Codes of whole rows, one scale a block, zero points where they differ from the middle. */
function tableStorage(layer: Layer, { bits, signed, symmetric, granularity }: QuantScheme): Stored {
  const [rows = 0, width = 0] = layer.shape;
  const stored = bits <= 4 ? 4 : 8;
  const group = typeof granularity === 'string' ? undefined : granularity.group;
  const blocks = Math.ceil(width / gatherBlock(width, group));
  const zeroPoints = !(signed && symmetric);
  const scopes = granularity === 'tensor' ? 1 : rows * blocks;
  const bytes = rows * Math.ceil((width * stored) / 8) + rows * blocks * 4;
  return {
    form: 'gather-blocks',
    type: `uint${stored}`,
    sizes: {
      bytes: bytes + (zeroPoints ? rows * Math.ceil((blocks * stored) / 8) : 0),
      bytesIdeal:
        Math.ceil((rows * width * bits) / 8) + scopes * 4 + (zeroPoints ? Math.ceil((scopes * bits) / 8) : 0),
    },
    changes: stored === bits ? [] : [{ kind: 'stored-wider', bits, storage: `uint${stored}` }],
    opset: 0,
    contrib: 0,
  };
}

function floatSizes(layer: Layer): { bytes: number; bytesIdeal: number } {
  const bytes = Math.ceil(((dataTypeByCode(layer.tensor.dataType)?.bits ?? 0) * layer.tensor.size) / 8);
  return { bytes, bytesIdeal: bytes };
}

function refusalText(issues: readonly Issue[]): string {
  const [first] = issues;
  if (first?.code === 'not-implemented') return `not implemented; nearest is ${first.facts.next}`;
  return first?.code === 'scheme-unknown' ? `expected ${first.facts.expected}` : 'not a format';
}
