/** Inlay hints: dB and bytes behind each rule of a recipe, the planned format behind each layer of a text. */
import { type InlayHint, InlayHintKind, type Range } from 'vscode-languageserver-types';
import { chooseLayer } from '../../engine/format/recipe-match';
import type { LayerReport } from '../../protocol/reports';
import { recipeScheme } from '../../protocol/views';
import { storedBytes } from '../../rules/model-view';
import { decibels, shortBytes } from '../../rules/numbers';
import { plannedWeightFormat } from '../../rules/planned';
import { verdictOf } from '../../rules/verdict';
import { editorWords, effectWords } from '../../rules/words';
import { label } from '../convert';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';

export function inlayHints(snapshot: Snapshot, range: Range): InlayHint[] {
  if (!snapshot.settings.inlayHints) return [];
  const from = snapshot.document.offsetAt(range.start);
  const to = snapshot.document.offsetAt(range.end);
  const all = snapshot.kind === 'recipe' ? recipeHints(snapshot) : textHints(snapshot);
  return all
    .filter(({ at }) => at >= from && at <= to)
    .map(({ at, text, tooltip }) => ({
      position: snapshot.document.positionAt(at),
      label: text,
      tooltip,
      kind: InlayHintKind.Type,
      paddingLeft: true,
    }));
}

interface Hint {
  readonly at: number;
  readonly text: string;
  readonly tooltip: string;
}

function recipeHints(snapshot: RecipeSnapshot): Hint[] {
  const { recipe, spans } = snapshot.parsed;
  const layers = snapshot.model?.report?.layers;
  if (!recipe || !layers) return [];
  const decided = new Map<number | undefined, LayerReport[]>();
  for (const layer of layers) {
    // A rule says nothing of layers that are stored quantized.
    if (plannedWeightFormat(layer, recipe) === undefined) continue;
    const { rule } = chooseLayer(recipe, layer.name);
    const list = decided.get(rule);
    if (list) list.push(layer);
    else decided.set(rule, [layer]);
  }
  const hint = (at: number | undefined, mine: readonly LayerReport[]): Hint[] => {
    if (at === undefined || mine.length === 0) return [];
    let before = 0;
    let after = 0;
    let worst: { name: string; db: number } | undefined;
    // Once the recipe's plan was run, what it does to the activations counts more than the weights alone.
    const isMeasured = mine.some((layer) => typeof layer.cumulative?.[recipeScheme] === 'number');
    for (const layer of mine) {
      const format = plannedWeightFormat(layer, recipe);
      if (format === undefined) continue;
      before += layer.bytes;
      after += storedBytes(layer, format) ?? layer.bytes;
      const db = isMeasured ? layer.cumulative?.[recipeScheme] : layer.weightSqnr?.[format];
      if (typeof db === 'number' && (!worst || db < worst.db)) worst = { name: layer.name, db };
    }
    const count = editorWords.layers(mine.length);
    const error = worst
      ? `${effectWords[isMeasured ? 'cumulative' : 'weight']} ${mine.length > 1 ? '≥ ' : ''}${decibels(worst.db)}${verdictOf(worst.db) === 'bad' ? ' ✗' : ''} · `
      : '';
    const tooltip = editorWords.ruleTooltip(count, worst && label(worst.name), isMeasured);
    const size = editorWords.sizeChange(shortBytes(before), shortBytes(after));
    return [{ at, text: `${error}${count} · ${size}`, tooltip }];
  };
  return [
    ...spans.rules.flatMap((rule, index) => hint(rule.span[1], decided.get(index) ?? [])),
    ...hint(spans.values.get('default')?.value[1], decided.get(undefined) ?? []),
  ];
}

function textHints(snapshot: TextSnapshot): Hint[] {
  const recipe = snapshot.model?.recipe?.recipe;
  if (!recipe) return [];
  return snapshot.layers.shown.flatMap(({ layer, node }) => {
    const format = plannedWeightFormat(layer, recipe);
    if (format === undefined) return [];
    const db = layer.weightSqnr?.[format];
    const weight = db === undefined ? format : `${format} ${decibels(db)}`;
    const measured = layer.cumulative?.[recipeScheme];
    return [
      {
        at: node.opSpan[1],
        text: label(
          measured === undefined ? weight : `${weight} · ${effectWords.cumulative} ${decibels(measured)}`,
        ),
        tooltip: editorWords.plannedTooltip,
      },
    ];
  });
}
