/** Hover on a call that makes layers: the table of the layer, or one of all it makes, worst first. */
import * as path from 'node:path';
import { type Hover, MarkupKind, type Position } from 'vscode-languageserver-types';
import type { LayerReport } from '../../../protocol/reports';
import { storedBytes } from '../../../rules/model-view';
import { decibels, shortBytes } from '../../../rules/numbers';
import { verdictOf } from '../../../rules/verdict';
import { editorWords, effectWords, verdictMarks } from '../../../rules/words';
import { scriptWords } from '../../../rules/words-script-editor';
import { escapeMarkdown, plainText } from '../../convert';
import { shortLayerMarkdown } from '../../layer-markdown';
import { figureOf, type TiedLayers, tiedAt, worstFirst } from '../../script-layers';
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

/** Weight errors of every layer, what was measured of it on data first, the codes of its findings. */
function tableOf({ layers, tie, model }: TiedLayers): string {
  const { sorted, by } = worstFirst(layers);
  const measured = by === undefined || by.effect === 'weight' ? [] : [by];
  const columns = [
    ...measured.map(({ effect, format }) => ({ effect, format, title: `${format} ${effectWords[effect]}` })),
    ...(['int8.channel', 'int4.channel'] as const).map((format) => ({
      effect: 'weight' as const,
      format,
      title: `${format} ${effectWords.weight}`,
    })),
  ];
  const codesOf = (layer: LayerReport) => [
    ...new Set(model.findings.filter(({ anchor }) => anchor.layer === layer.name).map(({ code }) => code)),
  ];
  const shown = sorted.slice(0, MAX_LISTED);
  const anyFound = shown.some((layer) => codesOf(layer).length > 0);
  const rows = shown.map((layer) => {
    const cells = columns.map((column) => {
      const db = figureOf(layer, column);
      return db === undefined ? '–' : `${decibels(db)} ${verdictMarks[verdictOf(db)]}`;
    });
    const small = storedBytes(layer, 'int8.channel');
    const size = `${shortBytes(layer.bytes)} → ${small === undefined ? '–' : shortBytes(small)}`;
    const found = anyFound ? ` ${codesOf(layer).join(' ')} |` : '';
    return `| ${escapeMarkdown(layer.name)} | ${cells.join(' | ')} | ${size} |${found}`;
  });
  const titles = [scriptWords.layer, ...columns.map(({ title }) => title), scriptWords.size];
  const [foundTitle, foundRule] = anyFound ? [` ${scriptWords.findings} |`, '---|'] : ['', ''];
  const table = [
    `| ${titles.join(' | ')} |${foundTitle}`,
    `|---|${'--:|'.repeat(titles.length - 1)}${foundRule}`,
    ...rows,
  ].join('\n');
  const more = layers.length > MAX_LISTED ? `\n\n${editorWords.andMore(layers.length - MAX_LISTED)}` : '';
  const head = scriptWords.layersOf(layers.length, escapeMarkdown(path.basename(tie.model)));
  return `${head}\n\n${table}${more}`;
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
