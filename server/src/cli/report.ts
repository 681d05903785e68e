/** Analysis reports as JSON (contract: report) and as a table for people. */
import type { Recipe } from '../engine/format/recipe';
import { parseScheme } from '../engine/numerics/scheme';
import type {
  AnalysisReport,
  Decibel,
  Execution,
  LayerReport,
  OutputPart,
  OutputReport,
  ReportedIssue,
} from '../protocol/reports';
import { findingsOf } from '../rules/model-view';
import { decibels, percent, shapeText, shortBytes, shortCount } from '../rules/numbers';
import { hiddenLoss, verdictOf } from '../rules/verdict';
import { line, reported } from '../rules/words';
import { type Column, table } from './table';

/** The report with findings joined: their codes on layers, their words in `issues`. */
export function jsonReport(report: AnalysisReport, recipe?: Recipe): object {
  const found = findingsOf(report, recipe);
  const codes = new Map<string, string[]>();
  for (const one of found) {
    const { layer } = one.anchor;
    if (layer !== undefined) codes.set(layer, [...(codes.get(layer) ?? []), one.code]);
  }
  return {
    ...report,
    layers: report.layers.map((layer) => ({ ...layer, issues: codes.get(layer.name) ?? [] })),
    issues: unique([...report.issues, ...found].map((one) => withPlace(reported(one)))),
  };
}

/** A sentence about a node that is no layer names it: many such rows are alike but for that. */
function withPlace(one: ReportedIssue): ReportedIssue {
  const { node, message } = one;
  return node === undefined || message.includes(node) ? one : { ...one, message: `${node}: ${message}` };
}

/** Plan and findings may tell the same; the first is the more severe one. */
function unique(issues: readonly ReportedIssue[]): readonly ReportedIssue[] {
  const said = new Set<string>();
  return issues.filter(({ code, layer, node, message }) => {
    const key = JSON.stringify([code, layer, node, message]);
    if (said.has(key)) return false;
    said.add(key);
    return true;
  });
}

/** Facts of a model, a line each. */
export function factLines(report: AnalysisReport): string {
  const { model } = report;
  const value = (one: { name: string; type: string; shape: readonly (number | string | null)[] | null }) =>
    `${one.name} ${one.type}${one.shape ? ` ${shapeText(one.shape)}` : ''}`;
  const rows: [string, string][] = [
    ['model', model.path],
    [
      'format',
      model.format === 'onnx'
        ? `ONNX, opset ${model.opset ?? 'unknown'}${model.irVersion ? `, IR ${model.irVersion}` : ''}`
        : model.format,
    ],
    ['producer', model.producer || '–'],
    ['inputs', model.inputs.map(value).join('; ') || '–'],
    ['outputs', model.outputs.map(value).join('; ') || '–'],
    ['parameters', `${shortCount(model.params)} (${shortBytes(model.bytes)})`],
    [
      'MACs',
      model.macs === null ? `unknown: ${model.macsReason ?? ''}` : `${shortCount(model.macs)} per sample`,
    ],
    [
      'nodes',
      `${model.nodes}: ${Object.entries(model.ops)
        .sort((a, b) => b[1] - a[1])
        .slice(0, 8)
        .map(([op, count]) => `${op} ${count}`)
        .join(', ')}`,
    ],
  ];
  if (model.fingerprint) rows.push(['SHA-256', model.fingerprint]);
  return rows.map(([label, text]) => `${label.padEnd(11)}${text}`).join('\n');
}

/** Weight formats that are shown where none is named. */
export const usualFormats = ['int8.tensor', 'int8.channel', 'int4.tensor', 'int4.channel', 'int4.group32'];

/** The layer table: weight errors, then whatever was measured. */
export function layerTable(report: AnalysisReport, formats?: readonly string[]): string {
  const weightFormats = formats ?? usualFormats;
  const measured = (['local', 'cumulative', 'outputEffect'] as const).flatMap((effect) =>
    [...new Set(report.layers.flatMap((layer) => Object.keys(layer[effect] ?? {})))].map((format) => ({
      effect,
      format,
    })),
  );
  const weighted = [...new Set(report.layers.flatMap((layer) => Object.keys(layer.importanceSqnr ?? {})))];
  const withWeights = report.layers.some((layer) => layer.weightSqnr);
  // A weight file has no operators to tell; what its weights are stored as is why it is looked at.
  const stored = report.model.format === 'gguf' || report.model.format === 'safetensors';
  const columns: Column[] = [
    { title: 'layer' },
    { title: stored ? 'type' : 'op' },
    { title: 'shape' },
    { title: 'params', align: 'right' },
    ...(withWeights ? weightFormats.map((title) => ({ title, align: 'right' as const })) : []),
    ...weighted.map((format) => ({ title: `${format} (imatrix)`, align: 'right' as const })),
    ...measured.map(({ effect, format }) => ({ title: `${effect} ${format}`, align: 'right' as const })),
  ];
  const rows = report.layers.map((layer) => [
    layer.name,
    stored ? layer.dataType : layer.depthwise ? `${layer.op} (depthwise)` : layer.op,
    shapeText(layer.shape),
    shortCount(layer.params),
    ...(withWeights ? weightFormats.map((format) => marked(layer.weightSqnr?.[format])) : []),
    ...weighted.map((format) => marked(layer.importanceSqnr?.[format])),
    ...measured.map(({ effect, format }) => {
      // What the file left as it was has no error of its own to judge.
      if (effect === 'local' && layer.local?.[format] === EXACT && comparedAsFile(layer, format))
        return 'float  ';
      const estimated = effect === 'outputEffect' && layer.outputEffectBasis?.[format] === 'estimated';
      return `${estimated ? '~' : ''}${marked(layer[effect]?.[format])}`;
    }),
  ]);
  return table(columns, rows);
}

/** dB of no error at all: figures end here. */
const EXACT = 120;

/** A layer of a comparison that the quantized file keeps in float. */
function comparedAsFile(layer: LayerReport, format: string): boolean {
  return format === 'file' && layer.quantized === undefined;
}

/** `✗` = bad (below 10 dB), `△` = watch (10 to 20 dB), as everywhere; docs/verdicts.md explains the scale. */
function marked(db: LayerReport['weightSqnr'] extends undefined ? never : number | null | undefined): string {
  const verdict = verdictOf(db);
  const mark = verdict === 'bad' ? ' ✗' : verdict === 'watch' ? ' △' : '  ';
  return `${decibels(db)}${mark}`;
}

/** A figure of a whole model with its verdict, that of `hidden` where it is known: `30.8 dB (good)`. */
export function judged(db: Decibel | undefined, hidden?: number): string {
  const verdict = verdictOf(hidden ?? db);
  return verdict === 'unknown' ? decibels(db) : `${decibels(db)} (${verdict})`;
}

/** What a constant output hides, in a line; none where it hides nothing. */
export function hiddenLine(hidden: number | undefined): readonly string[] {
  if (hidden === undefined) return [];
  return [`the output is mostly the same on all samples; what differs between them keeps ${judged(hidden)}`];
}

/** Findings and issues, a line each, worst first as the rules list them. */
export function findingLines(report: AnalysisReport, recipe?: Recipe): string {
  const found = findingsOf(report, recipe);
  const all = [...report.issues, ...found];
  const said = new Set<string>();
  return all
    .flatMap((one) => {
      const text = `${/^[A-Z]\d\d$/.test(one.code) ? `${one.code} ` : ''}${line(one)}`;
      // Plan and findings may tell the same; the first is the more severe one.
      if (said.has(text)) return [];
      said.add(text);
      return [`${one.severity} ${text}`];
    })
    .join('\n');
}

/**
 * Model outputs against the float model, a line per scheme.
 * @param estimator of the activation ranges, where they were estimated.
 */
export function outputLines(report: AnalysisReport, estimator?: string): string {
  return Object.entries(report.output ?? {})
    .flatMap(([scheme, output]) => {
      if (output.sqnr === null && output.basis === undefined) return [`output ${scheme}: not measured`];
      const agreement = agreementText(output);
      const basis = output.basis === undefined ? '' : `, ${output.basis}`;
      const hidden = hiddenLoss(output, report.data);
      const head = `output ${scheme}: ${judged(output.sqnr, hidden)}${agreement} (${output.execution}${basis}${rangesBy(report, scheme, estimator)})`;
      const other = otherExecution(scheme, output, report.data);
      const details = [
        ...hiddenLine(hidden),
        ...coverage(report.layers, scheme, output.activations === 'float'),
        ...detailLines(output),
      ];
      return [head, ...other, ...details.map((text) => `  ${text}`)];
    })
    .join('\n');
}

/** Ranges of another estimator are another configuration, so the figure says which. */
function rangesBy({ layers, output }: AnalysisReport, scheme: string, estimator: string | undefined): string {
  if (estimator === undefined || output?.[scheme]?.activations === 'float') return '';
  const { value } = parseScheme(scheme);
  const quantizes = value
    ? value.activations !== 'float'
    : layers.some((layer) => layer.localActivations?.[scheme] !== undefined);
  return quantizes && scheme !== 'file' ? `, ranges by ${estimator}` : '';
}

function agreementText({ topOneAgreement }: OutputPart): string {
  return topOneAgreement === null ? '' : `, top-1 agreement ${percent(topOneAgreement)}`;
}

/** The same file run the other way, on the same samples. */
function otherExecution(
  scheme: string,
  { deployed, simulated }: OutputReport,
  data: AnalysisReport['data'],
): readonly string[] {
  const line = (part: OutputPart, execution: Execution) =>
    `output ${scheme}: ${judged(part.sqnr, hiddenLoss(part, data))}${agreementText(part)} (${execution}, measured)`;
  return [
    ...(deployed ? [line(deployed, 'deployed')] : []),
    ...(simulated ? [line(simulated, 'simulated')] : []),
  ];
}

/** A good output means little where most layers stayed float: how many were quantized, of how many parameters. */
function coverage(layers: AnalysisReport['layers'], scheme: string, stays: boolean): readonly string[] {
  // A comparison has figures for what the file left in float, too.
  const known = layers.filter((layer) =>
    scheme === 'file'
      ? layer.quantized !== undefined
      : layer.local?.[scheme] !== undefined || layer.cumulative?.[scheme] !== undefined,
  );
  const floats = stays ? ['activations stay float: the figure is that of the weights'] : [];
  if (known.length === layers.length || known.length === 0) return floats;
  const sum = (some: AnalysisReport['layers']) => some.reduce((total, { params }) => total + params, 0);
  const share = sum(known) / Math.max(1, sum(layers));
  return [
    ...floats,
    `only ${known.length} of ${layers.length} layers are quantized, ${percent(share)} of their parameters; the others stay float`,
  ];
}

/** What else is known of a whole configuration: its parts, whether its layers' effects add up, its worst layers. */
function detailLines(output: OutputReport): readonly string[] {
  const { metrics, weightsOnly, activationsOnly, layersOnly, additivity, worst, separability } = output;
  const lines: string[] = [];
  if (weightsOnly && activationsOnly) {
    lines.push(
      `weights alone ${decibels(weightsOnly.sqnr)}, activations alone ${decibels(activationsOnly.sqnr)}`,
    );
  }
  if (metrics) {
    const kl = typeof metrics.kl === 'number' ? `, KL ${metrics.kl.toPrecision(3)} nats` : '';
    lines.push(`cosine ${fixed(metrics.cosine, 5)}, norm ratio ${fixed(metrics.normRatio, 4)}${kl}`);
  }
  if (additivity) {
    const { predicted, ratio, basis, error } = additivity;
    const spread = error === undefined ? '' : ` ± ${error.toFixed(2)}`;
    lines.push(
      `effects of single layers add up to ${decibels(predicted)} (${basis}): ${ratio.toFixed(2)}${spread} of the noise${layersOnly ? ` of all of them, ${decibels(layersOnly.sqnr)}; the rest comes from quantizers between layers` : ''}`,
    );
  }
  if (worst) {
    const layers = worst.map(({ layer, sqnr, samples }) => `${layer} ${decibels(sqnr)} (${samples} samples)`);
    lines.push(`worst alone: ${layers.join(', ') || 'none'}`);
  }
  if (separability) {
    const { rSquared, error, runs } = separability;
    const spread = error === undefined ? '' : ` (± ${percent(error)} over samples)`;
    lines.push(
      `a sum of layers' effects explains ${percent(Math.max(rSquared, 0))}${spread} of the differences between ${runs} mixed runs`,
    );
  }
  return lines;
}

function fixed(value: number | null, digits: number): string {
  return value === null ? 'unknown' : value.toFixed(digits);
}
