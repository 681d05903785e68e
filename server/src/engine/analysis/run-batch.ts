/** The batch in which models run that get the same samples: what one of them fixes holds for all. */
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import type { Model, Node } from '../graph/ir';
import { allNodes } from '../graph/walk';
import { modelInputs } from '../runtime/model-inputs';

export interface RunBatch {
  /** `undefined` = any. */
  readonly size: number | undefined;
}

/**
 * The batch that one of the models fixes; 1 where none does and one makes its scales from the values of a run, so
 * that its result depends on what else is in the batch: single requests are what such files are deployed for.
 * @returns the note `single-samples` with the latter; `models-differ` for two different fixed batches.
 */
export function runBatch(
  models: readonly Model[],
  dimensions: Readonly<Record<string, number>>,
): Outcome<RunBatch> {
  const sizes = new Set(models.flatMap((model) => modelInputs(model, dimensions).value?.fixedBatch ?? []));
  const [size, other] = sizes;
  if (size !== undefined && other !== undefined) {
    const reason = `one takes batches of ${size}, the other of ${other}`;
    return fail(issue('models-differ', { reason }));
  }
  if (size !== undefined) return { value: { size }, issues: [] };
  const op = models.map(batchDependent).find((found) => found !== undefined);
  return op === undefined ? { value: { size }, issues: [] } : { value: { size: 1 }, issues: [alone(op)] };
}

function alone(op: string): Issue {
  return issue('single-samples', { op }, {}, 'information');
}

/** The first operator whose scale spans all samples of a run. */
function batchDependent({ graph }: Model): string | undefined {
  for (const node of allNodes(graph)) if (spansBatch(node)) return node.opType;
  return undefined;
}

function spansBatch(node: Node): boolean {
  if (dynamic.has(node.op)) return true;
  // What exporters write out: a scale computed from the activation that it quantizes.
  return node.op === 'QuantizeLinear' && node.input(0)?.tensor === undefined && isComputed(node.input(1));
}

function isComputed(scale: ReturnType<Node['input']>): boolean {
  return scale?.producer !== undefined && scale.producer.opType !== 'Constant';
}

const dynamic: ReadonlySet<string> = new Set([
  'DynamicQuantizeLinear',
  'com.microsoft.DynamicQuantizeMatMul',
  'com.microsoft.DynamicQuantizeLSTM',
]);
