/** Inlay hints behind calls that make layers: the smallest weight format that is still good there. */
import * as path from 'node:path';
import { type InlayHint, InlayHintKind, type Range } from 'vscode-languageserver-types';
import type { LayerReport } from '../../../protocol/reports';
import { decibels } from '../../../rules/numbers';
import { isFloat } from '../../../rules/stored-type';
import { verdictOf } from '../../../rules/verdict';
import { scriptWords } from '../../../rules/words-script-editor';
import { type TiedLayers, tiedMakers } from '../../script-layers';
import type { ScriptSnapshot } from '../../snapshot';

/** Smallest first. */
const formats = [
  'int4.tensor',
  'int4.channel',
  'int4.group128',
  'int4.group32',
  'int8.tensor',
  'int8.channel',
] as const;

export function scriptHints(snapshot: ScriptSnapshot, range: Range): InlayHint[] {
  if (!snapshot.settings.inlayHints) return [];
  return tiedMakers(snapshot).flatMap((call): InlayHint[] => {
    const place = snapshot.places.range(call.span);
    if (!place || before(place.end, range.start) || before(range.end, place.end)) return [];
    const hint = hintOf(call);
    if (!hint) return [];
    return [{ position: place.end, ...hint, kind: InlayHintKind.Type, paddingLeft: true }];
  });
}

function hintOf({ layers, tie }: TiedLayers): { label: string; tooltip: string } | undefined {
  const float = layers.filter(isFloat);
  if (float.length === 0) return undefined;
  const model = path.basename(tie.model);
  for (const format of formats) {
    const db = lowest(float, format);
    if (db === undefined || verdictOf(db) !== 'good') continue;
    return {
      label: scriptWords.hint(format, decibels(db)),
      tooltip: scriptWords.hintTooltip(model, float.length),
    };
  }
  const last = lowest(float, 'int8.channel');
  if (last === undefined) return undefined;
  return { label: `int8.channel ${decibels(last)} ✗`, tooltip: scriptWords.noneGood };
}

/** The worst figure of all layers; undefined when one of them has none. */
function lowest(layers: readonly LayerReport[], format: string): number | undefined {
  let least = Number.POSITIVE_INFINITY;
  for (const { weightSqnr } of layers) {
    const db = weightSqnr?.[format];
    if (typeof db !== 'number') return undefined;
    least = Math.min(least, db);
  }
  return least;
}

function before(one: Range['start'], other: Range['start']): boolean {
  return one.line < other.line || (one.line === other.line && one.character < other.character);
}
