/** Job `importance`: weight errors weighted with an importance matrix, of a model or of a weight file. */
import { type ImportanceReport, importanceReport } from '../analysis/importance';
import { openFile } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome } from '../base/outcome';
import { type ImportanceMatrix, readImatrix } from '../format/imatrix';
import { isWeightFile, openWeights } from '../graph/from-weights';
import type { Model } from '../graph/ir';
import type { ImportanceJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { withModel } from './open';

type Report = Outcome<ImportanceReport>;

export async function importanceHandler(job: ImportanceJob, context: ServedContext): Promise<Report> {
  const opened = openFile(job.matrix);
  if (!opened.value) return fail(...opened.issues);
  try {
    const matrix = readImatrix(opened.value);
    if (!matrix.value) return fail(...matrix.issues);
    return await measure(job, context, matrix.value);
  } finally {
    opened.value.close();
  }
}

async function measure(
  job: ImportanceJob,
  context: ServedContext,
  matrix: ImportanceMatrix,
): Promise<Report> {
  const { signal, progress } = context;
  const report = (model: Model) =>
    importanceReport({ model, matrix, formats: job.formats, signal, progress });
  if (!isWeightFile(job.model)) return withModel(job.model, ({ open }) => report(open.model));
  const weights = openWeights(job.model);
  if (!weights.value) return fail(...weights.issues);
  try {
    const found = await report(weights.value.model);
    if (weights.value.unchanged()) return found;
    return fail(issue('file-changed', { path: job.model }, { path: job.model }));
  } finally {
    weights.value.close();
  }
}
