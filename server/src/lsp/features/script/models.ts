/** Which model holds the weights of a script is the user's choice: what may be chosen, and the comment that says it. */
import * as path from 'node:path';
import type { WorkspaceEdit } from 'vscode-languageserver-types';
import type { ScriptModelChoice, ScriptModelsParams, ScriptModelsReply } from '../../../protocol/lsp-ext';
import type { AnalysisReport } from '../../../protocol/reports';
import type { ScriptEdit } from '../../../rules/script/script-rule';
import { tiesOf } from '../../../script/tie';
import { pathOf, uriOf } from '../../convert';
import { modelsAround } from '../../script-ties';
import type { ScriptSnapshot } from '../../snapshot';
import { onTop } from './suppress';

/** Door to the headers of models. */
type Inspect = (file: string) => { readonly value?: AnalysisReport | undefined };

/** Models the script names or writes, those around it and the one that is asked for, best first. */
export function scriptModels(
  snapshot: ScriptSnapshot,
  { modelUri, insteadOf }: Pick<ScriptModelsParams, 'modelUri' | 'insteadOf'>,
  inspect: Inspect,
): ScriptModelsReply {
  const { script } = snapshot;
  const ties = snapshot.ties();
  const shown = new Set(ties.map(({ model }) => model));
  const asked = modelUri === undefined ? [] : [pathOf(modelUri)];
  const written = snapshot.exports().flatMap(({ model }) => (snapshot.exists(model) ? [model] : []));
  const files = new Set([
    ...asked,
    ...ties.flatMap(({ model, alsoFits }) => [model, ...alsoFits]),
    ...written,
    ...modelsAround(script.file, Number.POSITIVE_INFINITY),
  ]);
  const trees = [...new Set([...ties.map(({ tree }) => tree), ...script.trees()])];
  const models = [...files].flatMap((file): (ScriptModelChoice & { readonly score: number })[] => {
    const layers = inspect(file).value?.layers;
    const edit = layers && naming(snapshot, file, insteadOf === undefined ? undefined : pathOf(insteadOf));
    if (!layers || !edit) return [];
    const [best] = tiesOf(trees, layers);
    const told = {
      uri: uriOf(file),
      name: nameOf(script.file, file),
      layers: layers.length,
      shown: shown.has(file),
      edit,
    };
    if (!best) return [{ ...told, score: 0 }];
    const network = { name: best.tree.name, tied: best.pairs.size, layers: best.tree.layers.length };
    return [{ ...told, network, by: best.by, score: best.score }];
  });
  const sorted = models.sort((one, other) => other.score - one.score);
  return { models: sorted.map(({ score: _, ...told }) => told) };
}

/** Puts the model into the comment that names the one it takes the place of, or into a new one on top. */
export function naming(
  snapshot: ScriptSnapshot,
  file: string,
  insteadOf: string | undefined,
): WorkspaceEdit | undefined {
  const { script, places } = snapshot;
  const name = nameOf(script.file, file);
  const directive = `quantlens: model=${/\s/.test(name) ? `"${name}"` : name}`;
  const { models } = script.suppressions;
  const named = models.find((one) => path.resolve(path.dirname(script.file), one.path) === insteadOf);
  const before = named ?? (models.length === 1 ? models[0] : undefined);
  const edit: ScriptEdit = before
    ? { span: before.span, text: `# ${directive}` }
    : onTop(script, directive, places.offset(0));
  const place = places.location(edit.span);
  return place && { changes: { [place.uri]: [{ range: place.range, newText: edit.text }] } };
}

/** A model as a comment of a script names it. */
export function nameOf(script: string, model: string): string {
  return path.relative(path.dirname(script), model).replaceAll('\\', '/');
}
