/** What the recipe of a script's network decides, with the modules as the script names them. */
import * as path from 'node:path';
import { makeCodePlan } from '../codegen/from-plan';
import type { CodePlan } from '../codegen/index';
import type { Recipe } from '../engine/format/recipe';
import type { Model } from '../engine/graph/ir';
import { listLayers } from '../engine/graph/layers';
import { makePlan } from '../engine/methods/plan';
import { pathOf } from './convert';
import type { ScriptTie } from './script-ties';
import type { ScriptSnapshot } from './snapshot';

const made = new WeakMap<Model, { readonly recipe: Recipe; readonly plan: CodePlan | undefined }>();

/** The plan of the recipe beside the model that a network is tied to; undefined without either. */
export function scriptPlan(snapshot: ScriptSnapshot, className: string | undefined): CodePlan | undefined {
  const ties = snapshot.ties().filter(({ model }) => /\.onnx$/i.test(model));
  const tie =
    ties.find(({ tree }) => tree.name === className) ?? (className === undefined ? ties[0] : undefined);
  if (!tie) return undefined;
  const { recipe: parsed, recipeUri } = snapshot.model(tie.model);
  const recipe = parsed?.recipe;
  const model = snapshot.opened(tie.model);
  if (!recipe || !model || recipeUri === undefined) return undefined;
  const known = made.get(model);
  const plan =
    known?.recipe === recipe ? known.plan : planOf(model, recipe, path.basename(pathOf(recipeUri)));
  made.set(model, { recipe, plan });
  return plan && named(plan, tie);
}

function planOf(model: Model, recipe: Recipe, recipeName: string): CodePlan | undefined {
  const layers = listLayers(model);
  const plan = makePlan({ model, layers, recipe }).value;
  return plan && makeCodePlan({ model, layers, plan, recipe, recipeName });
}

/** Modules by the paths of the script's own attributes, where the tie knows them. */
function named(plan: CodePlan, { pairs }: ScriptTie): CodePlan {
  const modules = new Map([...pairs].map(([{ path: module }, layer]) => [layer, module]));
  const layers = plan.layers.map((layer) => ({ ...layer, module: modules.get(layer.name) ?? layer.module }));
  return { ...plan, layers };
}
