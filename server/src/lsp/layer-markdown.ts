/** A layer in a hover: one table of formats, what is estimated or measured, and links. */
import { dataTypeByName } from '../engine/base/dtype';
import { clientCommands } from '../protocol/lsp-ext';
import type { FixKind, LayerReport } from '../protocol/reports';
import type { ErrorCell } from '../protocol/views';
import { documentationUrl } from '../rules/docs';
import { cells } from '../rules/model-view';
import { decibels, shapeText, shortBytes, shortCount } from '../rules/numbers';
import { editorWords, effectWords, fixTitles, sentence, verdictWords } from '../rules/words';
import { commandLink, escapeMarkdown } from './convert';
import type { Surroundings } from './snapshot';
import type { ModelState } from './workspace';

/** False for weights that are stored quantized: nothing is left to plan. */
export function isFloat({ dataType }: LayerReport): boolean {
  return dataTypeByName(dataType)?.kind === 'float';
}

/** Formats of the hover table, in this order; measured figures follow. */
const shownWeights = [
  'int8.tensor',
  'int8.channel',
  'int4.tensor',
  'int4.channel',
  'int4.group32',
  'int4.group128',
];

/** Markdown of one layer. Command links only where the client has the commands and may run them. */
export function layerMarkdown(
  layer: LayerReport,
  model: ModelState,
  { trusted, client }: Surroundings,
): string {
  const head = [
    `**${escapeMarkdown(layer.name)}** · ${layer.depthwise ? `${editorWords.depthwise} ` : ''}${escapeMarkdown(layer.op)} · ${shapeText(layer.shape)}`,
    facts(layer),
  ];
  const actions = client.own && isFloat(layer) ? [links(layer, model, trusted)] : [];
  return [...head, table(layer, model), ...findings(layer, model), ...actions].join('\n\n');
}

function facts(layer: LayerReport): string {
  const parts = [editorWords.parameters(shortCount(layer.params)), shortBytes(layer.bytes)];
  if (layer.macs !== null) parts.push(editorWords.macs(shortCount(layer.macs)));
  if (layer.weightRange)
    parts.push(editorWords.range(short(layer.weightRange.min), short(layer.weightRange.max)));
  return parts.join(' · ');
}

function table(layer: LayerReport, model: ModelState): string {
  const all = cells(layer);
  const weights = shownWeights.flatMap((format) =>
    all.filter((cell) => cell.effect === 'weight' && cell.format === format),
  );
  const measured = all.filter((cell) => cell.effect !== 'weight');
  if (weights.length + measured.length === 0) {
    if (!isFloat(layer)) return `*${editorWords.storedAs(escapeMarkdown(layer.dataType))}*`;
    return `*${model.state === 'weights-running' ? editorWords.measuringNow : editorWords.notMeasured}*`;
  }
  const rows = [...weights, ...measured].map(row);
  return [...editorWords.errorTable, ...rows, '', `*${basis(measured.length > 0, model)}*`].join('\n');
}

function row(cell: ErrorCell): string {
  const size = cell.bytes === undefined ? '' : shortBytes(cell.bytes);
  return `| ${escapeMarkdown(cell.format)} | ${effectWords[cell.effect]} | ${decibels(cell.db)} | ${verdictWords[cell.verdict]} | ${size} |`;
}

/** What the figures stand on. */
function basis(hasActivations: boolean, model: ModelState): string {
  const data = model.report?.data;
  if (!hasActivations || !data) return editorWords.basisOfWeights;
  if (data.noData) return editorWords.basisWithoutData(data.noData);
  const source = escapeMarkdown(data.source.split(/[\\/]/).pop() ?? data.source);
  return editorWords.basisOfData(data.samples, source);
}

function findings(layer: LayerReport, model: ModelState): readonly string[] {
  return model.findings
    .filter((one) => one.anchor.layer === layer.name)
    .map((one) => `[${one.code}](${documentationUrl(one.code)}) ${escapeMarkdown(sentence(one))}`);
}

function links(layer: LayerReport, model: ModelState, trusted: boolean): string {
  const edit = (kind: FixKind) =>
    commandLink(fixTitles[kind], clientCommands.editRecipe, model.uri, [{ kind, layer: layer.name }]);
  const all = [
    edit('quantize-int4'),
    edit('quantize-int8'),
    edit('keep-float'),
    ...(trusted ? [commandLink(editorWords.calibrateMore, clientCommands.calibrate, model.uri)] : []),
  ];
  return all.join(' · ');
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
