/**
 * Which remedy of which finding can be tried without training, and how its gain is measured. A finding that is not
 * listed states no gain, except what its rule measures on the weight (M01, M02, M16, M17) or takes exactly from the
 * channel means (M24).
 */

import type { ExamineResult, RemedyQuestion } from '../engine/jobs';
import type { Gain, Issue, IssueCode } from '../protocol/issues';
import type { RemedyGain } from '../protocol/remedies';
import type { AnalysisReport, DataReport, FixKind } from '../protocol/reports';
import type { ModelFacts, PlannedFormats } from './rule';

export interface Remedy {
  readonly fix: FixKind;
  readonly codes: readonly IssueCode[];
  /** What is run with and without the fix, for the documentation. */
  readonly measured: string;
}

export const remedies: readonly Remedy[] = [
  {
    fix: 'per-channel-weights',
    codes: ['M01', 'M02', 'M16'],
    measured: 'the plan with one scale per tensor and with one per channel on the layers found',
  },
  {
    fix: 'weights-8-bit',
    codes: ['M17'],
    measured: 'the plan with the first and last layer as planned and at 8 bits',
  },
  {
    fix: 'estimator-mse',
    codes: ['M14', 'M15'],
    measured: 'the plan under ranges of the present estimator and of `mse`, both calibrated on the same data',
  },
  {
    fix: 'asymmetric-activations',
    codes: ['M07'],
    measured: 'the plan with symmetric and with asymmetric activations on the layers found',
  },
  {
    fix: 'activations-8-bit',
    codes: ['M18', 'M19'],
    measured: 'the plan with activations as planned and at 8 bits on the layers found',
  },
  {
    fix: 'activations-16-bit',
    codes: ['M05', 'M14'],
    measured: 'the plan with activations as planned and at 16 bits on the layers found',
  },
];

/** Below this a gain is not worth a change of the plan: figures of 32 samples move as much. */
export const WORTHWHILE = 0.1;

/** False when a remedy was tried and gains nothing, neither at the output nor, where that was not measured, below it. */
export function helps(gains: readonly Gain[] = []): boolean {
  const outputs = gains.filter(({ of }) => of === 'output');
  const deciding = outputs.length > 0 ? outputs : gains;
  return deciding.length === 0 || deciding.some(({ before, after }) => after - before >= WORTHWHILE);
}

/**
 * Fixes of a finding that change the plan. One that could be tried on the data at hand is offered once it was, and
 * gained.
 */
export function offeredFixes(fixes: readonly FixKind[], one: Issue, model: ModelFacts): readonly FixKind[] {
  const { code, facts } = one;
  const tried = remedies.filter(({ codes }) => codes.includes(code)).map(({ fix }) => fix);
  const gains = 'gains' in facts ? (facts.gains ?? []) : [];
  const inFile = 'inFile' in facts && facts.inFile;
  // Nothing is planned yet: the edit makes a recipe, and its default is the remedy.
  if ('assumed' in facts && facts.assumed) return fixes.filter((fix) => fix === 'per-channel-weights');
  return fixes.filter((fix) => {
    if (!isFor(fix, one)) return false;
    // The ranges of a file are made anew by calibrating, whatever the estimator.
    if (fix === 'estimator-mse' && (inFile || isByError(model.plan))) return false;
    // The first edit makes a recipe, whose default it is.
    if (fix === 'per-channel-weights' && !model.plan.hasRecipe) return false;
    if (!tried.includes(fix)) return true;
    return gains.length > 0 ? helps(gains) : !isMeasurable(model.report.data);
  });
}

/** The remedy of poor ranges is in the plan already. */
export function isByError({ estimator }: Pick<PlannedFormats, 'estimator'>): boolean {
  return estimator === 'mse';
}

/** Noise measures no remedy. */
export function isMeasurable(data: DataReport | null): boolean {
  return data !== null && data.source !== 'none' && data.source !== 'random' && !data.noData;
}

/** Of a file that is quantized already these are measured on the file itself, or not at all. */
const onFileItself: readonly FixKind[] = ['per-channel-weights', 'estimator-mse'];

/**
 * Remedies worth trying for these findings: once on all layers found, once on the network where it was found.
 * @param estimator the one that is tried against.
 * @param inFile the findings are on a file that is quantized already.
 */
export function questionsFor(
  found: readonly Issue[],
  estimator?: string,
  inFile = false,
): readonly RemedyQuestion[] {
  return remedies.flatMap(({ fix, codes }): readonly RemedyQuestion[] => {
    if (inFile && onFileItself.includes(fix)) return [];
    const of = found.filter((one) => codes.includes(one.code) && isFor(fix, one));
    if (of.length === 0) return [];
    const layers = [...new Set(of.flatMap(({ anchor }) => anchor.layer ?? []))];
    // The estimator is one for the network.
    if (fix === 'estimator-mse') return isByError({ estimator }) ? [] : [{ fix }];
    const onNetwork = of.some(({ anchor }) => anchor.layer === undefined);
    return [...(onNetwork ? [{ fix }] : []), ...(layers.length > 0 ? [{ fix, layers }] : [])];
  });
}

/** Whether a remedy fits the cause that a finding names. */
function isFor(fix: FixKind, { code, facts }: Issue): boolean {
  // An offset cannot be taken out by any format.
  if (code === 'M07') return facts.because !== 'offset';
  // What a file joins is written; a scale that one channel needs is right for this channel.
  if (code === 'M05') return facts.planned !== undefined;
  if (code === 'M14' && fix !== 'keep-float')
    return (fix === 'activations-16-bit') === (facts.channel !== undefined);
  return true;
}

/** True when something is to be measured beyond the errors of layers. */
export function needsExamination(report: AnalysisReport, questions: readonly RemedyQuestion[]): boolean {
  return questions.length > 0 || hasAttention(report);
}

export function hasAttention({ model }: AnalysisReport): boolean {
  return (model.ops.Softmax ?? 0) > 0 && (model.ops.MatMul ?? 0) > 0;
}

export function withExamination(
  report: AnalysisReport,
  result: ExamineResult,
  data: DataReport,
): AnalysisReport {
  const { remedies: gains, attention } = result;
  const known = report.remedies ?? [];
  const calibrated = recalibrated(report, result, data);
  const isFile = report.layers.some((layer) => layer.quantized);
  const later = calibrated ? onFile(report, calibrated, gains) : isFile ? [] : gains;
  const fresh = [...(calibrated ? [calibrated] : []), ...later].filter(
    (one) => !known.some(({ fix, layers }) => fix === one.fix && String(layers) === String(one.layers)),
  );
  return { ...report, remedies: [...known, ...fresh], attention };
}

/** dB between a file and its formats rounded to nearest, up to which both are one. */
const SAME = 0.5;

/** A plan leaves in float what operators such as Add join; where a file quantizes that, a gain may be no other than this. */
function isOtherPlan({ quantization }: AnalysisReport, gain: number): boolean {
  return gain > SAME && (quantization?.operands ?? []).length > 0;
}

/**
 * What remedies gain on the judged recipe of a quantized file, in its own words. Nothing where that recipe is worse than
 * the file: it was rounded or calibrated in another way. Nor where it is better, but nothing was calibrated.
 */
function onFile(
  { layers }: AnalysisReport,
  { output }: RemedyGain,
  gains: readonly RemedyGain[],
): readonly RemedyGain[] {
  if (output.after < output.before - SAME) return [];
  if (layers.some(({ quantized }) => quantized?.inputQuantizer)) return gains.map(afterCalibration);
  return output.after > output.before + SAME ? [] : gains;
}

/** The judged recipe of a quantized file has ranges of this data, not those of the file. */
function afterCalibration(gain: RemedyGain): RemedyGain {
  const { local: _, ...rest } = gain;
  return { ...rest, output: { ...gain.output, given: 'recalibrated' } };
}

/** A file that is quantized already against its own formats with ranges of this data. */
function recalibrated(
  report: AnalysisReport,
  { plan }: ExamineResult,
  { source }: DataReport,
): RemedyGain | undefined {
  const { output, layers } = report;
  const before = output?.file;
  if (!layers.some((layer) => layer.quantized) || typeof before?.sqnr !== 'number') return undefined;
  if (typeof plan?.sqnr !== 'number' || isOtherPlan(report, plan.sqnr - before.sqnr)) return undefined;
  const { samples, agreement } = plan;
  const data = { source, samples };
  const local = layers.flatMap((layer) => {
    const [old, now] = [layer.local?.file, plan.local[layer.name]];
    // Codes are the output of such an operator, so its noise holds theirs; that of the plan does not.
    if (layer.quantized?.form === 'qoperator') return [];
    if (typeof old !== 'number' || typeof now !== 'number') return [];
    return [[layer.name, { of: 'local', before: old, after: now, data }] as const];
  });
  return {
    fix: 'recalibrate',
    output: { of: 'output', before: before.sqnr, after: plan.sqnr, data },
    local: Object.fromEntries(local),
    ...(before.topOneAgreement === null || agreement === null
      ? {}
      : { agreement: { before: before.topOneAgreement, after: agreement } }),
  };
}
