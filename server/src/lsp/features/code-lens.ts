/** Lenses: facts and actions on the graph, a line per layer, *Apply* on a recipe. Each kind has its switch. */
import type { CodeLens, Command } from 'vscode-languageserver-types';
import { hasErrors } from '../../engine/base/issue';
import type { Recipe } from '../../engine/format/recipe';
import { clientCommands } from '../../protocol/lsp-ext';
import type { LayerReport } from '../../protocol/reports';
import { plannedBytes, worstFigure, worstText } from '../../rules/model-view';
import { decibels, shortBytes, shortCount } from '../../rules/numbers';
import { plannedWeightFormat } from '../../rules/planned';
import { isStoredQuantized } from '../../rules/stored-type';
import { verdictOf } from '../../rules/verdict';
import { editorWords, fixTitles } from '../../rules/words';
import { label, rangeOf, type Span } from '../convert';
import { recipeStart } from '../recipe-places';
import type { LayerIndex, RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';

/** A lens that only tells something needs a command without a name. */
const noCommand = '';

export function codeLenses(snapshot: Snapshot): CodeLens[] {
  if (snapshot.kind === 'recipe') return snapshot.settings.codeLens.recipe ? recipeLenses(snapshot) : [];
  return [
    ...(snapshot.settings.codeLens.model ? modelLenses(snapshot) : []),
    ...(snapshot.settings.codeLens.layer ? layerLenses(snapshot) : []),
  ];
}

function modelLenses(snapshot: TextSnapshot): CodeLens[] {
  const graph = snapshot.parsed.document.graphs.find((one) => one.parent < 0 && one.kind === 'graph');
  if (!graph || !snapshot.model?.report) return [];
  const { report, uri, state } = snapshot.model;
  const at = (title: string, command: string, ...args: unknown[]) =>
    lens(snapshot, graph.span, { title, command, arguments: args });
  const worst = worstFigure(report.layers);
  const facts = [
    shortBytes(report.model.bytes),
    editorWords.layers(report.layers.length),
    ...(state === 'weights-running' ? [editorWords.measuringWeights] : []),
    ...(state === 'measuring' ? [editorWords.measuringLayers] : []),
    ...(worst ? [worstText(worst, label(worst.layer.name), state)] : []),
  ];
  const told = at(facts.join(' · '), worst ? clientCommands.openAsText : noCommand, uri, worst?.layer.name);
  if (state === 'too-large')
    return [told, at(editorWords.measureWeights, clientCommands.measureWeights, uri)];
  if (isStoredQuantized(report.layers)) return [told];
  if (!snapshot.trusted) return [told, at(editorWords.restrictedModel, 'workbench.trust.manage')];
  return [
    told,
    at(editorWords.calibrate, clientCommands.calibrate, uri),
    at(fixTitles['quantize-int8'], clientCommands.quantize, uri, 'w8a8'),
    at(fixTitles['quantize-int4'], clientCommands.quantize, uri, 'int4'),
  ];
}

/** Lenses of the last plan per text and report: an editor asks at every scroll, and there may be thousands. */
const held = new WeakMap<LayerIndex, { readonly recipe: Recipe | undefined; readonly lenses: CodeLens[] }>();

function layerLenses(snapshot: TextSnapshot): CodeLens[] {
  const recipe = snapshot.model?.recipe?.recipe;
  const known = held.get(snapshot.layers);
  if (known && known.recipe === recipe) return known.lenses;
  const lenses = makeLayerLenses(snapshot, recipe);
  held.set(snapshot.layers, { recipe, lenses });
  return lenses;
}

function makeLayerLenses(snapshot: TextSnapshot, recipe: Recipe | undefined): CodeLens[] {
  return snapshot.layers.shown.map(({ layer, node }) => {
    const sqnr = layer.weightSqnr;
    const measured = layer.cumulative && Object.entries(layer.cumulative)[0];
    const parts = [
      label(layer.name),
      ...(sqnr ? [`int8 ${marked(sqnr['int8.channel'])}`, `int4 ${marked(sqnr['int4.channel'])}`] : []),
      ...(measured ? [editorWords.cumulative(label(measured[0]), marked(measured[1]))] : []),
      ...effect(layer),
      editorWords.parameters(shortCount(layer.params)),
      ...planned(layer, recipe),
    ];
    return lens(snapshot, node.opSpan, { title: parts.join(' · '), command: noCommand });
  });
}

function planned(layer: LayerReport, recipe: Recipe | undefined): readonly string[] {
  const format = recipe && plannedWeightFormat(layer, recipe);
  return format === undefined ? [] : [editorWords.planned(label(format))];
}

/** Effect of this layer alone on the model output, marked as an estimate until it is measured. */
function effect({ outputEffect, outputEffectBasis }: LayerReport): readonly string[] {
  return Object.entries(outputEffect ?? {}).map(([scheme, db]) => {
    const figure = outputEffectBasis?.[scheme] === 'estimated' ? `≈ ${decibels(db)} ○` : marked(db);
    return editorWords.outputEffectOf(label(scheme), figure);
  });
}

function recipeLenses(snapshot: RecipeSnapshot): CodeLens[] {
  const { recipe } = snapshot.parsed;
  if (!recipe?.model) return [];
  const span = recipeStart(snapshot.parsed);
  const report = snapshot.model?.report;
  if (!report) return [lens(snapshot, span, { title: editorWords.modelUnreadable, command: noCommand })];
  if (hasErrors(snapshot.parsed.issues))
    return [lens(snapshot, span, { title: editorWords.recipeBroken, command: noCommand })];
  const openModel = {
    title: editorWords.openModel,
    command: clientCommands.openModel,
    arguments: [snapshot.model?.uri],
  };
  if (isStoredQuantized(report.layers))
    return [
      lens(snapshot, span, { title: editorWords.nothingToApply, command: noCommand }),
      lens(snapshot, span, openModel),
    ];
  const bytes = plannedBytes(report, recipe);
  const worst = worstPlanned(snapshot);
  const predicted = [
    editorWords.predicted(shortBytes(bytes), shortBytes(report.model.bytes)),
    ...(worst === undefined ? [] : [editorWords.worstWeight(worst)]),
  ];
  const title = editorWords.apply(label(recipe.output ?? editorWords.newFile), predicted.join(', '));
  const exportCode = {
    title: editorWords.exportCode,
    command: clientCommands.exportCode,
    arguments: [snapshot.document.uri],
  };
  if (!snapshot.trusted)
    return [
      lens(snapshot, span, {
        title: editorWords.restrictedRecipe,
        command: 'workbench.trust.manage',
      }),
      lens(snapshot, span, openModel),
      lens(snapshot, span, exportCode),
    ];
  return [
    lens(snapshot, span, { title, command: clientCommands.applyRecipe, arguments: [snapshot.document.uri] }),
    lens(snapshot, span, openModel),
    lens(snapshot, span, exportCode),
  ];
}

function worstPlanned({ model, parsed }: RecipeSnapshot): string | undefined {
  let worst: { name: string; db: number } | undefined;
  for (const layer of model?.report?.layers ?? []) {
    const format = parsed.recipe && plannedWeightFormat(layer, parsed.recipe);
    const db = format === undefined ? undefined : layer.weightSqnr?.[format];
    if (typeof db === 'number' && (!worst || db < worst.db)) worst = { name: layer.name, db };
  }
  return worst && `${decibels(worst.db)} (${label(worst.name)})`;
}

function marked(db: number | null | undefined): string {
  const verdict = verdictOf(db);
  const mark = verdict === 'bad' ? ' ✗' : verdict === 'watch' ? ' △' : '';
  return `${decibels(db)}${mark}`;
}

function lens(snapshot: Snapshot, span: Span, command: Command): CodeLens {
  return { range: rangeOf(snapshot.document, span), command };
}
