/** Job `code`: the plan of a recipe as Python for another library. */

import { makeCodePlan } from '../../codegen/from-plan';
import { type CodeNote, writeCode } from '../../codegen/index';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { parseRecipe } from '../format/recipe';
import { listLayers } from '../graph/layers';
import type { CodeJob, CodeResult } from '../jobs';
import { makePlan } from '../methods/plan';
import { withModel } from './open';

export function codeHandler(job: CodeJob): Promise<Outcome<CodeResult>> {
  return withModel(job.model, async (prepared) => {
    const parsed = parseRecipe(job.recipe);
    const { recipe, spans } = parsed;
    if (!recipe || hasErrors(parsed.issues)) return fail(...parsed.issues);
    // The other library sees the file as it is: names are those before anything is folded.
    const model = prepared.plain();
    const layers = listLayers(model);
    const plan = makePlan({ model, layers, recipe, spans });
    if (!plan.value || hasErrors(plan.issues)) return fail(...plan.issues);
    const { library, recipeName } = job;
    const code = writeCode(makeCodePlan({ model, layers, plan: plan.value, recipe, recipeName }), library);
    return ok({ text: code.text }, [...parsed.issues, ...plan.issues, ...code.notes.map(issueOf(library))]);
  });
}

function issueOf(library: CodeJob['library']): (note: CodeNote) => Issue {
  return ({ what, instead, layers, lost }) =>
    issue('code-differs', { library, what, instead, layers }, {}, lost ? 'warning' : 'information');
}
