/** A layer in a hover: one table of formats, what is estimated or measured, and links. */
import { dataTypeByName } from '../engine/base/dtype';
import { clientCommands } from '../protocol/lsp-ext';
import type { LayerReport } from '../protocol/reports';
import type { Effect, ErrorCell, Verdict } from '../protocol/views';
import { documentationUrl } from '../rules/docs';
import { cells } from '../rules/model-view';
import { decibels, shapeText, shortBytes, shortCount } from '../rules/numbers';
import { sentence } from '../rules/words';
import { commandLink, escapeMarkdown } from './convert';
import type { Surroundings } from './snapshot';
import type { ModelState } from './workspace';

const effects: Readonly<Record<Effect, string>> = {
  weight: 'weight',
  local: 'local',
  cumulative: 'cumulative',
  output: 'output effect',
};

const verdicts: Readonly<Record<Verdict, string>> = {
  good: '✓ good',
  watch: '△ watch',
  bad: '✗ bad',
  unknown: '–',
};

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
    `**${escapeMarkdown(layer.name)}** · ${layer.depthwise ? 'depthwise ' : ''}${escapeMarkdown(layer.op)} · ${shapeText(layer.shape)}`,
    facts(layer),
  ];
  const actions = client.own && isFloat(layer) ? [links(layer, model, trusted)] : [];
  return [...head, table(layer, model), ...findings(layer, model), ...actions].join('\n\n');
}

function facts(layer: LayerReport): string {
  const parts = [`${shortCount(layer.params)} parameters`, shortBytes(layer.bytes)];
  if (layer.macs !== null) parts.push(`${shortCount(layer.macs)} MACs per sample`);
  if (layer.weightRange)
    parts.push(`range ${short(layer.weightRange.min)} … ${short(layer.weightRange.max)}`);
  return parts.join(' · ');
}

function table(layer: LayerReport, model: ModelState): string {
  const all = cells(layer);
  const weights = shownWeights.flatMap((format) =>
    all.filter((cell) => cell.effect === 'weight' && cell.format === format),
  );
  const measured = all.filter((cell) => cell.effect !== 'weight');
  if (weights.length + measured.length === 0) {
    if (!isFloat(layer)) return `*stored as ${escapeMarkdown(layer.dataType)}: quantized already*`;
    return model.state === 'weights-running' ? '*measuring the weights…*' : '*not measured yet*';
  }
  const rows = [...weights, ...measured].map(row);
  return [
    '| format | error of | SQNR | verdict | size |',
    '|---|---|--:|---|--:|',
    ...rows,
    '',
    `*${basis(measured.length > 0, model)}*`,
  ].join('\n');
}

function row(cell: ErrorCell): string {
  const size = cell.bytes === undefined ? '' : shortBytes(cell.bytes);
  return `| ${escapeMarkdown(cell.format)} | ${effects[cell.effect]} | ${decibels(cell.db)} | ${verdicts[cell.verdict]} | ${size} |`;
}

/** What the figures stand on. */
function basis(hasActivations: boolean, model: ModelState): string {
  const weights = 'Weight error: measured on the weight, min-max ranges. Sizes: estimated.';
  const data = model.report?.data;
  if (!hasActivations || !data)
    return `${weights} Error of activations: not measured yet; calibrate to measure it.`;
  if (data.noData) {
    const from = data.noData === 'noise' ? 'random noise' : 'BatchNormalization statistics';
    return `${weights} Local and cumulative error: estimated without data (${from}).`;
  }
  const source = escapeMarkdown(data.source.split(/[\\/]/).pop() ?? data.source);
  return `${weights} Local and cumulative error: measured on ${data.samples} samples of ${source}.`;
}

function findings(layer: LayerReport, model: ModelState): readonly string[] {
  return model.findings
    .filter((one) => one.anchor.layer === layer.name)
    .map((one) => `[${one.code}](${documentationUrl(one.code)}) ${escapeMarkdown(sentence(one))}`);
}

function links(layer: LayerReport, model: ModelState, trusted: boolean): string {
  const edit = (title: string, kind: string) =>
    commandLink(title, clientCommands.editRecipe, model.uri, [{ kind, layer: layer.name }]);
  const all = [
    edit('Quantize to int4', 'quantize-int4'),
    edit('Quantize to int8', 'quantize-int8'),
    edit('Keep in float', 'keep-float'),
    ...(trusted ? [commandLink('Calibrate…', clientCommands.calibrate, model.uri)] : []),
  ];
  return all.join(' · ');
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
