/** A float model and a quantized one, made ready to run in one session, with their layers paired. */
import { type FoundPairs, type Matching, matchedPairs } from '../analysis/layer-pairs';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Dimension } from '../format/onnx-types';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { opFacts } from '../graph/ops';
import { allNodes } from '../graph/walk';
import { raiseObstacle, raiseOpset } from '../methods/opset';
import type { PreparedModel } from './open';

export interface Twins extends FoundPairs {
  readonly float: Model;
  readonly quantized: Model;
}

/**
 * Fresh copies of both. BatchNormalization of the float model is folded, because that is what gets quantized, unless
 * the quantized file kept it behind its layers.
 * @returns `models-differ` when they cannot run on the same inputs or in one operator set, or share no layer.
 */
export function openTwins(floatFile: PreparedModel, quantizedFile: PreparedModel): Outcome<Twins> {
  const quantized = quantizedFile.plain();
  const float = keepsBatchNorm(quantized) ? floatFile.plain() : floatFile.folded();
  const different = differentInputs(float, quantized) ?? differentOpsets(float, quantized);
  if (different !== undefined) return fail(issue('models-differ', { reason: different }));
  const known = matchings.get(floatFile)?.get(quantizedFile);
  const found = matchedPairs(float, quantized, known);
  if (!known) matchings.set(floatFile, new WeakMap([[quantizedFile, found.matching]]));
  if (found.pairs.length === 0 && found.unmatched.length > 0)
    return fail(
      issue('models-differ', { reason: 'no layer of one holds the weight of a layer of the other' }),
    );
  return ok({ float, quantized, ...found });
}

/** What was found of two open files: every copy of them has its layers in the same order. */
const matchings = new WeakMap<PreparedModel, WeakMap<PreparedModel, Matching>>();

/** A BatchNormalization reads what a layer makes, or what a quantizer made of it. */
function keepsBatchNorm(model: Model): boolean {
  for (const node of allNodes(model.graph)) {
    if (node.op !== 'BatchNormalization') continue;
    let maker = node.input(0)?.producer;
    while (maker && /^(De)?[qQ]uantizeLinear$/.test(maker.opType)) maker = maker.input(0)?.producer;
    if (maker && opFacts(maker).weight) return true;
  }
  return false;
}

/** What keeps two models from running on the same inputs, in words; `undefined` = nothing. */
export function differentInputs(float: Model, quantized: Model): string | undefined {
  const ours = float.graph.dataInputs;
  const theirs = quantized.graph.dataInputs;
  if (ours.length !== theirs.length) return `${ours.length} inputs against ${theirs.length}`;
  if (float.graph.outputs.length !== quantized.graph.outputs.length) {
    return `${float.graph.outputs.length} outputs against ${quantized.graph.outputs.length}`;
  }
  for (const [index, input] of ours.entries()) {
    const twin = theirs[index];
    if (!twin) continue;
    if (input.elementType !== twin.elementType)
      return `inputs differ: ${input.name} is ${input.typeName} against ${twin.typeName}`;
    if (!mayFit(input.shape, twin.shape))
      return `inputs differ: ${sizes(input.shape, twin.shape)} against ${sizes(twin.shape, input.shape)}`;
  }
  return undefined;
}

type Shape = Value['shape'];

/** False where two shapes can never be those of one sample; unknown dimensions fit any. */
function mayFit(one: Shape, other: Shape): boolean {
  if (!one || !other) return true;
  return (
    one.length === other.length && one.every((size, index) => index === 0 || sameSize(size, other[index]))
  );
}

function sameSize(one: Dimension | undefined, other: Dimension | undefined): boolean {
  const known = typeof one === 'number' && typeof other === 'number' && one > 0 && other > 0;
  return !known || one === other;
}

/** `3×224×224`; the first dimension counts samples and is told only where others lack it. */
function sizes(shape: Shape = [], other: Shape = []): string {
  return shape
    .slice(shape.length === other.length ? 1 : 0)
    .map((size) => size ?? '?')
    .join('×');
}

/**
 * Raises the older model to the newer one's operator set, because both run in one session.
 * @returns what keeps it from being raised, in words; `undefined` = nothing. Versions that nobody has checked are left
 *   to the session to refuse.
 */
function differentOpsets(float: Model, quantized: Model): string | undefined {
  const version = Math.max(defaultOpset(float), defaultOpset(quantized));
  for (const model of [float, quantized]) {
    const obstacle = raiseObstacle(model, version);
    if (obstacle === 'version') continue;
    if (obstacle) {
      return `opset ${defaultOpset(model)} against ${version}, and ${obstacle.op} ${obstacle.node} means something else there`;
    }
    raiseOpset(model, version);
  }
  return undefined;
}
