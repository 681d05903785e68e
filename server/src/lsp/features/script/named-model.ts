/** Comments that name the model of a script: one that is not there, or that holds not all of its layers, is told there. */
import * as path from 'node:path';
import type { Diagnostic } from 'vscode-languageserver-types';
import { nearestName } from '../../../engine/base/format-names';
import { issue } from '../../../engine/base/issue';
import type { Issue } from '../../../protocol/issues';
import { diagnosticOf } from '../../convert';
import { modelsAround } from '../../script-ties';
import type { ScriptSnapshot } from '../../snapshot';
import { nameOf } from './models';

/** Models named beside one that is not there. */
const MAX_NEAR = 3;

export function namedModelDiagnostics(snapshot: ScriptSnapshot): Diagnostic[] {
  const { document, script, places } = snapshot;
  if (!path.isAbsolute(script.file)) return [];
  return script.suppressions.models.flatMap(({ path: written, span }): Diagnostic[] => {
    const range = places.range(span);
    const found = range && troubleWith(snapshot, written);
    return range && found ? [{ ...diagnosticOf(document, found, [0, 0]), range }] : [];
  });
}

function troubleWith(snapshot: ScriptSnapshot, written: string): Issue | undefined {
  const { script } = snapshot;
  const file = path.resolve(path.dirname(script.file), written);
  if (!snapshot.exists(file)) {
    const near = modelsNear(script.file, written);
    return issue('script-model-missing', { path: written, near }, {}, 'warning');
  }
  const ties = snapshot.knownTies();
  if (!snapshot.searched()) return undefined;
  const [tie] = ties.filter(({ model }) => model === file);
  if (tie) {
    const [tied, layers] = [tie.pairs.size, tie.tree.layers.length];
    const facts = { path: written, network: tie.tree.name, tied, layers };
    return tied < layers ? issue('script-model-partly', facts, {}, 'information') : undefined;
  }
  // Another model named here may hold the network.
  const layers = snapshot.model(file).report?.layers.length ?? 0;
  if (ties.length > 0 || layers === 0 || script.program.classes.length === 0) return undefined;
  return issue('script-model-partly', { path: written, tied: 0, layers }, {}, 'information');
}

/** Models around a script by their paths, the one with the nearest name first. */
function modelsNear(script: string, written: string): readonly string[] {
  const names = modelsAround(script, Number.POSITIVE_INFINITY).map((file) => nameOf(script, file));
  const nearest = nearestName(
    path.basename(written),
    names.map((name) => path.posix.basename(name)),
  );
  const isNearest = (name: string) => path.posix.basename(name) === nearest;
  return [...names.filter(isNearest), ...names.filter((name) => !isNearest(name))].slice(0, MAX_NEAR);
}
