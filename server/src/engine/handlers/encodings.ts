/** Job `encodings`: the scales and zero points of a plan, in the file format of another tool. */
import type { EncodingsReport } from '../../protocol/reports';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { type PlannedEncodings, planEncodings } from '../export/encodings';
import { writeText } from '../export/write';
import { writeAimet } from '../format/aimet-encodings';
import { writeOrtOverrides } from '../format/ort-overrides';
import { listLayers } from '../graph/layers';
import { allGraphs } from '../graph/walk';
import type { EncodingFormat, EncodingsJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { foldedNames } from './folded-names';
import { type PreparedModel, withModel } from './open';
import { incomplete, neededRanges, planOf } from './planned';

export function encodingsHandler(
  job: EncodingsJob,
  context: ServedContext,
): Promise<Outcome<EncodingsReport>> {
  return withModel(job.model, async (prepared) => {
    const plan = planOf(job, prepared);
    if (!plan.value || hasErrors(plan.issues)) return fail(...plan.issues);
    const ranges = await neededRanges(job, context, prepared, plan.value);
    const issues: Issue[] = [...plan.issues, ...ranges.issues];
    if (hasErrors(issues)) return fail(...issues);
    const all = planEncodings(prepared.folded(), plan.value, ranges.value?.ranges ?? {});
    issues.push(...all.issues);
    if (!all.value) return fail(...incomplete(job, issues));
    const encodings = (job.format === 'ort' ? known : foldedThere)(all.value, prepared, issues);
    const { text, leftOut } = written(encodings, job.format);
    const groups = [...encodings.leftOut, ...leftOut];
    if (groups.length > 0)
      issues.push(issue('encodings-left-out', { tensors: groups, why: 'groups' }, {}, 'warning'));
    const sources = [job.model, ...prepared.open.external.opened().map((file) => file.path)];
    const end = await writeText(job.output, text, sources, context.signal);
    if (!end.value) return fail(...issues, ...end.issues);
    return ok(
      {
        output: job.output,
        format: job.format,
        activations: encodings.activations.length,
        weights: encodings.parameters.length - leftOut.length,
        bytes: end.value.bytes,
        issues,
      },
      issues,
    );
  });
}

function written(encodings: PlannedEncodings, format: EncodingFormat) {
  switch (format) {
    case 'ort':
      return writeOrtOverrides(encodings);
    case 'aimet-0.6.1':
      return writeAimet(encodings, '0.6.1');
    case 'aimet-1.0.0':
      return writeAimet(encodings, '1.0.0');
    case 'aimet-2.0.0':
      return writeAimet(encodings, '2.0.0');
  }
}

/**
 * What onnxruntime's quantizer finds in the file as it is: it refuses names that are not there, and a weight that
 * BatchNormalization will be folded into has other scales by then.
 */
function known(encodings: PlannedEncodings, prepared: PreparedModel, issues: Issue[]): PlannedEncodings {
  const { model } = prepared.open;
  const names = new Set(allGraphs(model.graph).flatMap((graph) => [...graph.values.keys()]));
  const changed = changedByFolding(encodings, prepared);
  const parameters = encodings.parameters.filter(({ name }) => !changed.includes(name));
  if (changed.length > 0)
    issues.push(issue('encodings-left-out', { tensors: changed, why: 'folded' }, {}, 'warning'));
  return {
    ...encodings,
    activations: encodings.activations.filter(({ name }) => names.has(name)),
    parameters,
  };
}

/**
 * AIMET folds BatchNormalization before it simulates, and what came out of the normalization is called like the output
 * of the operator in front of it then; names that are not there make it refuse the file.
 */
function foldedThere(
  encodings: PlannedEncodings,
  prepared: PreparedModel,
  issues: Issue[],
): PlannedEncodings {
  const changed = changedByFolding(encodings, prepared);
  if (changed.length === 0) return encodings;
  issues.push(issue('encodings-folded', { tensors: changed }, {}, 'warning'));
  const theirs = new Map([...foldedNames(prepared)].map(([own, ours]) => [ours, own]));
  const activations = encodings.activations.map((one) => ({
    ...one,
    name: theirs.get(one.name) ?? one.name,
  }));
  return { ...encodings, activations };
}

/** Weights that folding makes other ones. */
function changedByFolding(encodings: PlannedEncodings, prepared: PreparedModel): readonly string[] {
  const originals = new Map(
    listLayers(prepared.open.model).map((layer) => [layer.weight.name, layer.tensor]),
  );
  const folded = new Map(listLayers(prepared.folded()).map((layer) => [layer.weight.name, layer.tensor]));
  const same = (name: string) => {
    const before = originals.get(name)?.toFloat32().value;
    const after = folded.get(name)?.toFloat32().value;
    return before !== undefined && before.length === after?.length && before.every((x, i) => x === after[i]);
  };
  return encodings.parameters.map(({ name }) => name).filter((name) => !same(name));
}
