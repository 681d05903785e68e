/** Which of a script's data pipelines calibration is offered first: what each is for, and how much it says. */
import type { DataPipeline } from './data-pipeline';
import type { Call } from './program';

/** What words for splits are joined with: `val_loader`, `testset`. */
const kinds = '(set|loader|data|dataset|dir|path|ds|dl)?';
const evaluation = new RegExp(
  `(^|[^a-z])(val|valid|validation|test|testing|eval|evaluation|dev|calib|calibration|inference|predict)${kinds}([^a-z]|$)`,
);
const training = new RegExp(`(^|[^a-z])(train|training|trn)${kinds}([^a-z]|$)`);

/** A pipeline with what it is for: random steps are training; else the names around it tell: of variables, functions, folders and splits. */
export function withRole(pipeline: DataPipeline, call: Call | undefined): DataPipeline {
  if (pipeline.role === 'training') return pipeline;
  const texts = [
    ...targetsOf(call),
    pipeline.loader?.name ?? '',
    pipeline.transform?.name ?? '',
    ...pipeline.sources.map(({ path }) => path.split(/[/\\]/).slice(-2).join('/')),
    call?.function?.name ?? '',
  ];
  for (const text of texts) {
    const words = text.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
    const [forEvaluation, forTraining] = [evaluation.test(words), training.test(words)];
    if (forEvaluation !== forTraining)
      return { ...pipeline, role: forEvaluation ? 'evaluation' : 'training' };
  }
  return pipeline;
}

function targetsOf(call: Call | undefined): readonly string[] {
  if (call?.statement.kind !== 'assign' || call.statement.value !== call.expression) return [];
  return call.statement.targets.flatMap((target) =>
    target.kind === 'name' ? [target.name] : target.kind === 'attribute' ? [target.attribute] : [],
  );
}

/** The one of two pipelines that calibration can do more with; the first where they are alike. */
export function better(one: DataPipeline, other: DataPipeline): DataPipeline {
  return rank(other) < rank(one) ? other : one;
}

/** Those for evaluation first, then in the order of the text; what says no more than another is left out. */
export function inOrder(pipelines: readonly DataPipeline[]): readonly DataPipeline[] {
  return withoutRepeats(pipelines).sort(
    (one, other) => Math.floor(rank(one)) - Math.floor(rank(other)) || one.span[0] - other.span[0],
  );
}

/** Smaller is better for calibration: what it is for counts most, then whether it says anything, then its doubts. */
function rank({ role, kind, preprocessing, doubts }: DataPipeline): number {
  const roles = { evaluation: 0, unknown: 2, training: 4 };
  const makers = { loader: 0, data: 0, transform: 1, 'by-hand': 1 };
  return (
    roles[role] +
    makers[kind] +
    (Object.keys(preprocessing).length === 0 ? 6 : 0) +
    Math.min(doubts.length, 50) / 100
  );
}

/** Ways by hand that say no more than another pipeline are left out. */
function withoutRepeats(pipelines: readonly DataPipeline[]): DataPipeline[] {
  const seen = new Set<string>();
  return pipelines.filter((one) => {
    if (one.kind !== 'by-hand') return true;
    const key = JSON.stringify([one.preprocessing, one.sources.map(({ path }) => path)]);
    return !seen.has(key) && seen.add(key);
  });
}
