/** What every job does first: open the model and fold BatchNormalization on a copy. */
import { hasErrors, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { type OpenModel, openModel } from '../graph/open';
import { passes, runPasses, structuralPasses } from '../graph/passes';
import { cloneModel } from '../graph/walk';
import { halfType, widen } from '../graph/widen';
import { blamed } from './refused';

export interface PreparedModel {
  readonly open: OpenModel;
  /** A fresh copy with shape arithmetic and BatchNormalization folded; the caller may change it. */
  folded(): Model;
  /** A fresh copy that computes exactly what the file says. */
  plain(): Model;
  /** The half-precision type of the file, where the copies compute in float32 instead. */
  readonly widened?: string;
}

/** Opens a model for a job. Close `open` when done. */
export function prepare(path: string): Outcome<PreparedModel> {
  const opened = openModel(path);
  if (!opened.value || hasErrors(opened.issues)) return fail(...opened.issues);
  return ok({ open: opened.value, ...copiesOf(opened.value, cloneModel) }, opened.issues);
}

/** The same model with copies that compute in float32, where it is one of half precision. */
export function inSinglePrecision(prepared: PreparedModel): PreparedModel {
  const { open } = prepared;
  const type = halfType(open.model);
  if (type === undefined) return prepared;
  const wide = (model: Model) => {
    const copy = cloneModel(model);
    widen(copy);
    return copy;
  };
  return { open, ...copiesOf(open, wide), widened: type };
}

function copiesOf(
  { model }: OpenModel,
  copy: (model: Model) => Model,
): Pick<PreparedModel, 'folded' | 'plain'> {
  const after = (list: typeof passes) => () => {
    const made = copy(model);
    runPasses(made, list);
    return made;
  };
  return { folded: after(passes), plain: after(structuralPasses) };
}

/** Runs `body` on an opened model and closes it; a file that changed meanwhile makes the result invalid. */
export async function withModel<T>(
  path: string,
  body: (prepared: PreparedModel) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const prepared = prepare(path);
  if (!prepared.value) return fail(...prepared.issues);
  const { open } = prepared.value;
  try {
    const outcome = await body(prepared.value);
    if (!open.unchanged()) return fail(issue('file-changed', { path }, { path }));
    const issues =
      outcome.value === undefined ? await blamed(prepared.value, outcome.issues) : outcome.issues;
    return { value: outcome.value, issues: [...prepared.issues, ...issues] };
  } finally {
    open.close();
  }
}
