/** What every job does first: open the model and fold BatchNormalization on a copy. */
import { hasErrors, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { type OpenModel, openModel } from '../graph/open';
import { passes, runPasses, structuralPasses } from '../graph/passes';
import { cloneModel } from '../graph/walk';
import { blamed } from './refused';

export interface PreparedModel {
  readonly open: OpenModel;
  /** A fresh copy with shape arithmetic and BatchNormalization folded; the caller may change it. */
  folded(): Model;
  /** A fresh copy that computes exactly what the file says. */
  plain(): Model;
}

/** Opens a model for a job. Close `open` when done. */
export function prepare(path: string): Outcome<PreparedModel> {
  const opened = openModel(path);
  if (!opened.value || hasErrors(opened.issues)) return fail(...opened.issues);
  const open = opened.value;
  const copy = (list: typeof passes) => () => {
    const model = cloneModel(open.model);
    runPasses(model, list);
    return model;
  };
  return ok({ open, folded: copy(passes), plain: copy(structuralPasses) }, opened.issues);
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
