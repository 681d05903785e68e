/** Hover on a call that makes layers: the table of the layer, or one of all it makes, worst first. */
import * as path from 'node:path';
import { type Hover, MarkupKind, type Position } from 'vscode-languageserver-types';
import { storedBytes } from '../../../rules/model-view';
import { decibels, shortBytes } from '../../../rules/numbers';
import { verdictOf } from '../../../rules/verdict';
import { editorWords, verdictMarks } from '../../../rules/words';
import { scriptWords } from '../../../rules/words-script-editor';
import { escapeMarkdown, plainText } from '../../convert';
import { shortLayerMarkdown } from '../../layer-markdown';
import { type TiedLayers, tiedAt, worstFirst } from '../../script-layers';
import type { ScriptSnapshot } from '../../snapshot';
import { dataHover } from './data';

/** Layers listed of a call that makes many. */
const MAX_LISTED = 12;

export function scriptHover(snapshot: ScriptSnapshot, position: Position): Hover | null {
  const found = tiedAt(snapshot, snapshot.places.offset(snapshot.document.offsetAt(position)));
  if (!found) return dataHover(snapshot, position);
  const range = snapshot.places.range(found.span);
  const [only] = found.layers;
  const value =
    only && found.layers.length === 1
      ? shortLayerMarkdown(only, found.model, snapshot, origin(found))
      : `${tableOf(found)}\n\n*${origin(found)}*`;
  const contents = snapshot.client.markdown
    ? { kind: MarkupKind.Markdown, value }
    : { kind: MarkupKind.PlainText, value: plainText(value) };
  return { ...(range ? { range } : {}), contents };
}

function tableOf({ layers, tie }: TiedLayers): string {
  const rows = worstFirst(layers)
    .slice(0, MAX_LISTED)
    .map((layer) => {
      const cell = (format: string) => {
        const db = layer.weightSqnr?.[format];
        return db === undefined ? '–' : `${decibels(db)} ${verdictMarks[verdictOf(db)]}`;
      };
      const small = storedBytes(layer, 'int8.channel');
      const size = `${shortBytes(layer.bytes)} → ${small === undefined ? '–' : shortBytes(small)}`;
      return `| ${escapeMarkdown(layer.name)} | ${cell('int8.channel')} | ${cell('int4.channel')} | ${size} |`;
    });
  const more = layers.length > MAX_LISTED ? `\n\n${editorWords.andMore(layers.length - MAX_LISTED)}` : '';
  const head = scriptWords.layersOf(layers.length, escapeMarkdown(path.basename(tie.model)));
  return `${head}\n\n${scriptWords.layerTable}\n${rows.join('\n')}${more}`;
}

/** Which model the figures are of, and which others they could be of. */
function origin({ tie }: TiedLayers): string {
  const name = (file: string) => escapeMarkdown(nameBeside(tie.model, file));
  const tied = tie.pairs.size;
  const all = tie.tree.layers.length;
  return [
    scriptWords.tiedTo(name(tie.model), tie.by),
    ...(tied < all ? [scriptWords.partly(tied, all)] : []),
    ...(tie.alsoFits.length > 0 ? [scriptWords.alsoFits(tie.alsoFits.map(name))] : []),
  ].join('; ');
}

/** A file's name; with its folder where that is another one. */
function nameBeside(model: string, file: string): string {
  return path.dirname(file) === path.dirname(model)
    ? path.basename(file)
    : path.relative(path.dirname(model), file);
}
