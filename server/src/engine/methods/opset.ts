/**
 * Raising a model's default operator set without changing what it computes. Between versions 7 and 21 few operators
 * changed incompatibly; each has a row with the rewrite, or with the reason why there is none. Derived from the
 * operator schemas of onnx 1.23 (attributes removed, inputs added, defaults changed) and their change notes.
 */
import { addInitializer, addNode, replaceNode, setInput } from '../graph/edit';
import type { Attribute, Graph, Model, Node } from '../graph/ir';
import { defaultOpset } from '../graph/ir';
import { floatTensor, int64Tensor } from '../graph/tensor';
import { allNodes } from '../graph/walk';

/** Below 7 almost every operator changed (broadcast attributes); above 21 nothing has been checked. */
export const oldestRaisable = 7;
export const newestRaisable = 21;

interface OpsetChange {
  readonly op: string;
  /** Version that changed the operator. */
  readonly at: number;
  /** False when this node means the same before and after. */
  readonly concerns: (node: Node) => boolean;
  /** Rewrites the node in place; absent = such a node cannot be carried over. */
  readonly upgrade?: (node: Node) => void;
}

const has = (name: string) => (node: Node) => node.attributes.has(name);
const always = () => true;

const reductionsAt18 = [
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSumSquare',
];

/** In order of version: a node may be rewritten more than once (Split at 13 and 18). */
const changes: readonly OpsetChange[] = [
  { op: 'BatchNormalization', at: 9, concerns: (node) => node.int('spatial', 1) === 0 },
  {
    op: 'BatchNormalization',
    at: 9,
    concerns: has('spatial'),
    upgrade: (node) => node.attributes.delete('spatial'),
  },
  { op: 'Upsample', at: 9, concerns: always },
  { op: 'Scan', at: 9, concerns: always },
  { op: 'Slice', at: 10, concerns: has('starts'), upgrade: upgradeSlice },
  { op: 'TopK', at: 10, concerns: has('k'), upgrade: (node) => integersToInput(node, 'k', 1) },
  { op: 'Upsample', at: 10, concerns: always },
  { op: 'Clip', at: 11, concerns: (node) => has('min')(node) || has('max')(node), upgrade: upgradeClip },
  { op: 'Pad', at: 11, concerns: has('pads'), upgrade: upgradePad },
  { op: 'Resize', at: 11, concerns: always },
  { op: 'Scatter', at: 11, concerns: always },
  { op: 'Dropout', at: 12, concerns: has('ratio'), upgrade: (node) => node.attributes.delete('ratio') },
  { op: 'Softmax', at: 13, concerns: always, upgrade: upgradeSoftmax },
  { op: 'LogSoftmax', at: 13, concerns: always, upgrade: upgradeSoftmax },
  { op: 'Hardmax', at: 13, concerns: always, upgrade: upgradeSoftmax },
  { op: 'ReduceSum', at: 13, concerns: has('axes'), upgrade: (node) => integersToInput(node, 'axes', 1) },
  { op: 'Squeeze', at: 13, concerns: has('axes'), upgrade: (node) => integersToInput(node, 'axes', 1) },
  { op: 'Unsqueeze', at: 13, concerns: has('axes'), upgrade: (node) => integersToInput(node, 'axes', 1) },
  { op: 'Split', at: 13, concerns: has('split'), upgrade: (node) => integersToInput(node, 'split', 1) },
  { op: 'Resize', at: 13, concerns: isTensorflowHalfPixel },
  {
    op: 'Resize',
    at: 13,
    concerns: (node) => node.input(2)?.tensor?.size === 0,
    upgrade: (node) => setInput(node, 2, undefined),
  },
  { op: 'BatchNormalization', at: 14, concerns: (node) => node.outputs.length > 1 },
  {
    op: 'RoiAlign',
    at: 16,
    concerns: (node) => !has('coordinate_transformation_mode')(node),
    upgrade: upgradeRoiAlign,
  },
  ...reductionsAt18.map((op) => ({
    op,
    at: 18,
    concerns: has('axes'),
    upgrade: (node: Node) => integersToInput(node, 'axes', 1),
  })),
  { op: 'Split', at: 18, concerns: (node) => !node.input(1), upgrade: upgradeSplit },
  { op: 'DFT', at: 20, concerns: always },
  { op: 'GridSample', at: 20, concerns: always, upgrade: upgradeGridSample },
  { op: 'GroupNormalization', at: 21, concerns: always },
];

/** Smallest IR version that announces an operator set (onnx/docs/Versioning.md). */
const irVersions: readonly (readonly [opset: number, ir: number])[] = [
  [7, 3],
  [9, 4],
  [10, 5],
  [11, 6],
  [12, 7],
  [15, 8],
  [19, 9],
  [21, 10],
  [23, 11],
  [24, 12],
  [25, 13],
];

/**
 * Why the model cannot be raised to `version`: the first node that has no rewrite, or the versions themselves.
 * `undefined` when it can.
 */
export function raiseObstacle(
  model: Model,
  version: number,
): { node: string; op: string } | 'version' | undefined {
  const from = defaultOpset(model);
  if (version <= from) return undefined;
  if (from < oldestRaisable || version > newestRaisable) return 'version';
  for (const node of allNodes(model.graph)) {
    for (const change of pending(node, from, version)) {
      if (change.upgrade) continue;
      return { node: node.label, op: node.opType };
    }
  }
  return undefined;
}

/** Rewrites the nodes and raises the default operator set. Ask {@link raiseObstacle} first. */
export function raiseOpset(model: Model, version: number): void {
  const from = defaultOpset(model);
  if (version <= from) return;
  for (const change of changes) {
    if (change.at <= from || change.at > version) continue;
    for (const node of [...allNodes(model.graph)]) {
      if (node.op === change.op && change.concerns(node)) change.upgrade?.(node);
    }
  }
  model.opsets.set('', version);
  raiseIrVersion(model);
}

/**
 * Raises the IR version to what the operator sets need. Below 4 every initializer is also a graph input and counts
 * as constant; from 4 on it would become overridable and no runtime would fuse it, so those inputs are dropped.
 */
export function raiseIrVersion(model: Model): void {
  const opset = defaultOpset(model);
  const needed = irVersions.reduce((found, [from, ir]) => (opset >= from ? ir : found), 4);
  if (model.irVersion < 4) {
    const { inputs } = model.graph;
    inputs.splice(0, inputs.length, ...model.graph.dataInputs);
  }
  model.irVersion = Math.max(model.irVersion, needed, 4);
}

function pending(node: Node, from: number, to: number): readonly OpsetChange[] {
  if (node.domain !== '') return [];
  return changes.filter(
    ({ op, at, concerns }) => op === node.opType && at > from && at <= to && concerns(node),
  );
}

/** Moves an INT or INTS attribute to a constant input. */
function integersToInput(node: Node, attribute: string, index: number): void {
  const found = node.attributes.get(attribute);
  node.attributes.delete(attribute);
  if (found?.type === 'ints') setInput(node, index, integers(node, attribute, found.value.map(Number)));
  if (found?.type === 'int') setInput(node, index, integers(node, attribute, [Number(found.value)]));
}

function upgradeSlice(node: Node): void {
  const starts = node.ints('starts') ?? [];
  const axes = node.ints('axes') ?? starts.map((_, axis) => axis);
  setInput(node, 1, integers(node, 'starts', starts));
  setInput(node, 2, integers(node, 'ends', node.ints('ends') ?? []));
  setInput(node, 3, integers(node, 'axes', axes));
  for (const name of ['starts', 'ends', 'axes']) node.attributes.delete(name);
}

function upgradeClip(node: Node): void {
  for (const [index, name] of [
    [1, 'min'],
    [2, 'max'],
  ] as const) {
    const bound = node.attributes.get(name);
    node.attributes.delete(name);
    if (bound?.type === 'float') setInput(node, index, real(node, name, bound.value));
  }
}

function upgradePad(node: Node): void {
  const value = node.float('value', 0);
  integersToInput(node, 'pads', 1);
  node.attributes.delete('value');
  if (value !== 0) setInput(node, 2, real(node, 'value', value));
}

function upgradeSplit(node: Node): void {
  node.attributes.set('num_outputs', { type: 'int', value: BigInt(node.outputs.length) });
}

function upgradeRoiAlign(node: Node): void {
  node.attributes.set('coordinate_transformation_mode', text('output_half_pixel'));
}

function upgradeGridSample(node: Node): void {
  const mode = node.string('mode', 'bilinear');
  const renamed: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };
  node.attributes.set('mode', text(renamed[mode] ?? mode));
}

/**
 * Before 13 the axis and all after it were flattened into one: the same thing only for the last axis, else
 * `Reshape(Softmax(Flatten(x, axis)), Shape(x))`.
 */
function upgradeSoftmax(node: Node): void {
  const axis = node.int('axis', 1);
  const rank = node.input(0)?.shape?.length;
  const last: readonly [string, Attribute] = ['axis', { type: 'int', value: -1n }];
  if (axis === -1 || axis === (rank ?? 0) - 1) {
    node.attributes.set(...last);
    return;
  }
  const graph = graphOf(node);
  const input = node.input(0);
  const step = (
    opType: string,
    inputs: Node['inputs'],
    attributes: Iterable<readonly [string, Attribute]> = [],
  ) => {
    const name = `${node.label}_${opType}`;
    return addNode(graph, { name, opType, inputs, attributes, outputs: [name] }, node).output();
  };
  const flat = step('Flatten', [input], [['axis', { type: 'int', value: BigInt(axis) }]]);
  const result = step(node.opType, [flat], [last]);
  replaceNode(node, { name: node.name, opType: 'Reshape', inputs: [result, step('Shape', [input])] });
}

function isTensorflowHalfPixel(node: Node): boolean {
  return node.string('coordinate_transformation_mode', 'half_pixel') === 'tf_half_pixel_for_nn';
}

function integers(node: Node, what: string, values: readonly number[]) {
  return addInitializer(graphOf(node), `${node.label}_${what}`, int64Tensor([values.length], values));
}

/** A scalar of the type of the node's data: float unless the value says double or half. */
function real(node: Node, what: string, value: number) {
  const graph = graphOf(node);
  const constant = addInitializer(graph, `${node.label}_${what}`, floatTensor([], Float32Array.of(value)));
  const type = node.input(0)?.elementType ?? 0;
  if (type === 0 || type === 1) return constant;
  const cast = addNode(
    graph,
    {
      name: `${constant.name}_Cast`,
      opType: 'Cast',
      inputs: [constant],
      outputs: [`${constant.name}_cast`],
      attributes: [['to', { type: 'int', value: BigInt(type) }]],
    },
    node,
  );
  return cast.output() ?? constant;
}

function text(value: string): Attribute {
  return { type: 'string', value: new TextEncoder().encode(value) };
}

function graphOf(node: Node): Graph {
  if (!node.graph) throw new Error(`invariant violated: node ${node.label} is in a graph`);
  return node.graph;
}
