/** A layer in a hover: one table of formats, what is estimated or measured, and links. */
import { clientCommands } from '../protocol/lsp-ext';
import type { LayerReport } from '../protocol/reports';
import type { Effect, ErrorCell, Verdict } from '../protocol/views';
import { documentationUrl } from '../rules/docs';
import { cells } from '../rules/model-view';
import { decibels, shapeText, shortBytes, shortCount } from '../rules/numbers';
import { sentence } from '../rules/words';
import { commandLink, escapeMarkdown } from './convert';
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

/** Formats of the hover table, in this order; measured figures follow. */
const shownWeights = [
  'int8.tensor',
  'int8.channel',
  'int4.tensor',
  'int4.channel',
  'int4.group32',
  'int4.group128',
];

/** Markdown of one layer; links need a trusting client. */
export function layerMarkdown(
  layer: LayerReport,
  model: ModelState,
  options: { readonly trusted: boolean },
): string {
  const head = [
    `**${escapeMarkdown(layer.name)}** · ${layer.depthwise ? 'depthwise ' : ''}${layer.op} · ${shapeText(layer.shape)}`,
    facts(layer),
  ];
  return [...head, table(layer, model), ...findings(layer, model), links(layer, model, options.trusted)].join(
    '\n\n',
  );
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
    return model.state === 'weights-running' ? '*measuring the weights…*' : '*not measured yet*';
  }
  const rows = [...weights, ...measured].map(row);
  const source = model.report?.data ? ` Activations: measured on ${escapeMarkdown(dataText(model))}.` : '';
  return [
    '| format | error of | SQNR | verdict | size |',
    '|---|---|--:|---|--:|',
    ...rows,
    '',
    `*Weight figures are exact for min-max ranges, no data needed.${source}*`,
  ].join('\n');
}

function row(cell: ErrorCell): string {
  const size = cell.bytes === undefined ? '' : shortBytes(cell.bytes);
  return `| ${cell.format} | ${effects[cell.effect]} | ${decibels(cell.db)} | ${verdicts[cell.verdict]} | ${size} |`;
}

function dataText(model: ModelState): string {
  const data = model.report?.data;
  if (!data) return '';
  if (data.noData) return `no data (${data.noData === 'noise' ? 'noise' : 'BatchNormalization statistics'})`;
  return `${data.samples} samples of ${data.source.split(/[\\/]/).pop() ?? data.source}`;
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
