/** A layer in a hover: links, findings, one table of formats with what was measured first, and what if. Short on purpose. */
import { gridBits, gridScopes } from '../engine/format-figures';
import { clientCommands } from '../protocol/lsp-ext';
import type { Decibel, FixKind, LayerReport } from '../protocol/reports';
import type { ErrorCell } from '../protocol/views';
import { documentationUrl } from '../rules/docs';
import { cells, storedBytes } from '../rules/model-view';
import { decibels, shapeText, shortBytes, shortCount } from '../rules/numbers';
import { isFloat, storedAs } from '../rules/stored-type';
import { verdictOf } from '../rules/verdict';
import { editorWords, effectWords, fixTitles, sentence, verdictMarks, verdictWords } from '../rules/words';
import { commandLink, escapeMarkdown } from './convert';
import type { Surroundings } from './snapshot';
import type { ModelState } from './workspace';

/** Formats of the hover table, in this order, behind measured figures. */
const shownWeights = [
  'int8.tensor',
  'int8.channel',
  'int4.tensor',
  'int4.channel',
  'int4.group32',
  'int4.group128',
];

/**
 * Markdown of one layer. Command links only where the client has the commands and may run them.
 * @param marked the editor shows the findings of this place by itself, above the hover.
 */
export function layerMarkdown(
  layer: LayerReport,
  model: ModelState,
  { trusted, client }: Surroundings,
  marked = false,
): string {
  const head = [
    `**${escapeMarkdown(layer.name)}** · ${layer.depthwise ? `${editorWords.depthwise} ` : ''}${escapeMarkdown(layer.op)} · ${shapeText(layer.shape)}`,
    facts(layer),
    ...becomes(layer),
  ];
  // A file of weights without a graph cannot be exported.
  const hasGraph = layer.op !== 'Weight';
  const actions = client.own && hasGraph && isFloat(layer) ? [links(layer, model, trusted)] : [];
  const grid = whatIfTable(layer, model);
  return [
    ...head,
    ...actions,
    ...(marked ? [] : findings(layer, model)),
    table(layer, model, grid.length > 0),
    ...grid,
  ].join('\n\n');
}

/** Rows of the short table: the widths that are written, one between them, one below. */
const shortBits: readonly number[] = [8, 6, 4, 3];

/**
 * The same in a few lines, for a hover that other hovers share the room with: one table of bits by granularity with
 * verdicts and sizes, what was measured on data, findings, links, and where it all comes from last.
 * @param origin of which model the figures are.
 */
export function shortLayerMarkdown(
  layer: LayerReport,
  model: ModelState,
  { trusted, client }: Surroundings,
  origin: string,
): string {
  const name = `**${escapeMarkdown(layer.name)}** · ${layer.depthwise ? `${editorWords.depthwise} ` : ''}${escapeMarkdown(layer.op)}`;
  const size = [
    shapeText(layer.shape),
    editorWords.parameters(shortCount(layer.params)),
    shortBytes(layer.bytes),
  ];
  const actions = client.own && layer.op !== 'Weight' && isFloat(layer) ? [links(layer, model, trusted)] : [];
  return [
    [name, ...size].join(' · '),
    ...shortTable(layer, model),
    ...measuredLine(layer),
    ...findings(layer, model),
    ...actions,
    `*${origin}*`,
  ].join('\n\n');
}

function shortTable(layer: LayerReport, model: ModelState): readonly string[] {
  if (!isFloat(layer)) return [`*${editorWords.storedAs(escapeMarkdown(storedAs(layer)))}*`];
  const figures = { ...layer.weightSqnr, ...model.figures(layer) };
  const scopes = ['tensor', ...usefulScopes(layer, figures)].filter((scope) =>
    shortBits.some((bits) => figures[`int${bits}.${scope}`] !== undefined),
  );
  if (scopes.length === 0)
    return [`*${model.state === 'weights-running' ? editorWords.measuringNow : editorWords.notMeasured}*`];
  const rows = shortBits
    .map((bits) => ({ bits, cells: scopes.map((scope) => gridCell(layer, figures, `int${bits}.${scope}`)) }))
    .filter(({ cells: all }) => all.some((cell) => cell !== undefined));
  return [
    [
      `| ${effectWords.weight} | ${scopes.join(' | ')} |`,
      `|---|${scopes.map(() => '--:|').join('')}`,
      ...rows.map(({ bits, cells: all }) => `| int${bits} | ${all.map((cell) => cell ?? '–').join(' | ')} |`),
    ].join('\n'),
  ];
}

/** Errors on data, in one line. */
function measuredLine(layer: LayerReport): readonly string[] {
  const measured = cells(layer).filter((cell) => cell.effect !== 'weight');
  if (measured.length === 0) return [];
  const parts = measured.map(({ format, effect, db, verdict, basis: from }) => {
    const about = from === 'estimated' ? '≈ ' : '';
    return `${escapeMarkdown(format)} ${effectWords[effect]} ${about}${decibels(db)} ${verdictMarks[verdict]}`;
  });
  return [parts.join(' · ')];
}

function gridCell(
  layer: LayerReport,
  figures: Readonly<Record<string, Decibel>>,
  format: string,
): string | undefined {
  const db = figures[format];
  if (db === undefined) return undefined;
  const bytes = storedBytes(layer, format);
  return `${decibels(db)} ${verdictMarks[verdictOf(db)]}${bytes === undefined ? '' : ` (${shortBytes(bytes)})`}`;
}

function facts(layer: LayerReport): string {
  const parts = [editorWords.parameters(shortCount(layer.params)), shortBytes(layer.bytes)];
  if (layer.macs !== null) parts.push(editorWords.macs(shortCount(layer.macs)));
  if (layer.weightRange)
    parts.push(editorWords.range(short(layer.weightRange.min), short(layer.weightRange.max)));
  return parts.join(' · ');
}

/** What a target makes of the weight; forms that only other tools write stand for those that `quantize` lacks. */
function becomes(layer: LayerReport): readonly string[] {
  return Object.entries(layer.becomes ?? {}).map(([target, all]) => {
    const written = all.filter((one) => one.written);
    const forms = (written.length > 0 ? written : all).map(({ operator, weightBits, written: own }) => {
      const name = operator?.split('.').pop() ?? 'DequantizeLinear';
      return `${name} int${weightBits.join('/')}${own ? '' : ` (${editorWords.otherTools})`}`;
    });
    return editorWords.becomes(target, forms.join(' · '));
  });
}

function table(layer: LayerReport, model: ModelState, hasGrid: boolean): string {
  const all = cells(layer);
  const groups = hasGrid ? [] : usefulScopes(layer, layer.weightSqnr ?? {});
  const weights = shownWeights
    .filter((format) => !format.includes('.group') || groups.some((scope) => format.endsWith(scope)))
    .flatMap((format) => all.filter((cell) => cell.effect === 'weight' && cell.format === format));
  const measured = all.filter((cell) => cell.effect !== 'weight');
  if (weights.length + measured.length === 0) {
    if (!isFloat(layer)) return `*${editorWords.storedAs(escapeMarkdown(storedAs(layer)))}*`;
    return `*${model.state === 'weights-running' ? editorWords.measuringNow : editorWords.notMeasured}*`;
  }
  const rows = [...measured, ...weights].map(row);
  return [...editorWords.errorTable, ...rows, '', `*${basis(measured, model)}*`].join('\n');
}

function row(cell: ErrorCell): string {
  const size = cell.bytes === undefined ? '' : shortBytes(cell.bytes);
  const estimated = cell.basis === 'estimated';
  const figure = estimated ? `≈ ${decibels(cell.db)}` : decibels(cell.db);
  const verdict = estimated ? editorWords.estimatedVerdict(cell.verdict) : verdictWords[cell.verdict];
  return `| ${escapeMarkdown(cell.format)} | ${effectWords[cell.effect]} | ${figure} | ${verdict} | ${size} |`;
}

/** Granularities of the grid without groups that hold a channel or more: those say what the channel says. */
function usefulScopes(layer: LayerReport, figures: Readonly<Record<string, Decibel>>): readonly string[] {
  return gridScopes.filter((scope) => {
    if (scope === 'channel') return true;
    const [group, channel] = [`int4.${scope}`, 'int4.channel'];
    const isSameSize = storedBytes(layer, group) === storedBytes(layer, channel);
    return !isSameSize || decibels(figures[group]) !== decibels(figures[channel]);
  });
}

/** Bits by granularity, once they are measured; without groups only the bits that the table above lacks. */
function whatIfTable(layer: LayerReport, model: ModelState): readonly string[] {
  if (!layer.weightSqnr || !isFloat(layer)) return [];
  const figures = model.figures(layer);
  const cell = (format: string) => gridCell(layer, figures, format);
  const scopes = usefulScopes(layer, figures);
  const bitWidths = scopes.length > 1 ? gridBits : gridBits.filter((bits) => bits !== 8 && bits !== 4);
  const rows = bitWidths.map((bits) => ({
    bits,
    cells: scopes.map((scope) => cell(`int${bits}.${scope}`)),
  }));
  if (rows.some((one) => one.cells.includes(undefined))) return [];
  return [
    [
      `**${editorWords.whatIfTitle}**\n`,
      `| | ${scopes.join(' | ')} |`,
      `|---|${scopes.map(() => '--:|').join('')}`,
      ...rows.map((one) => `| int${one.bits} | ${one.cells.join(' | ')} |`),
    ].join('\n'),
  ];
}

/** What the figures stand on. */
function basis(measured: readonly ErrorCell[], model: ModelState): string {
  const effects = measured.filter((cell) => cell.effect === 'output');
  const ofEffect =
    effects.length === 0
      ? ''
      : ` ${editorWords.basisOfEffect(effects.some((cell) => cell.basis === 'estimated'))}`;
  return `${basisOfData(measured.length > 0, model)}${ofEffect}`;
}

function basisOfData(hasActivations: boolean, { report, state }: ModelState): string {
  const data = report?.data;
  if (!hasActivations || !data)
    return state === 'measuring' ? editorWords.basisWhileMeasuring : editorWords.basisOfWeights;
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
    commandLink(editorWords.whatIf, clientCommands.whatIf, model.uri, layer.name),
    ...(trusted ? [commandLink(editorWords.calibrateMore, clientCommands.calibrate, model.uri)] : []),
  ];
  return all.join(' · ');
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
