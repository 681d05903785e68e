/**
 * The verdict on a dB figure. One scale for weight, local, cumulative and output error, because each is a
 * noise-to-signal ratio: 20 dB = noise 1 % of the signal power, 10 dB = 10 %.
 * Source: guidance of the PPQ author (OpenPPL/ppq#416): up to 10 % is fine for classification, regression-like tasks
 * (super-resolution) want 0.1 %; docs/verdicts.md explains the limits of such a scale.
 */
import type { AnalysisReport, DataReport, Decibel, OutputPart } from '../protocol/reports';
import { type Verdict, verdictScale } from '../protocol/views';

export const { goodFrom, watchFrom } = verdictScale;

/** dB by which what differs between samples may lie below the whole output before it counts instead. */
const HIDDEN = 10;

/**
 * Figure of what differs between samples, where an output that is mostly one constant hides its loss. Noise is no
 * reason: networks answer it with nearly the same, whatever it is.
 */
export function hiddenLoss(
  { sqnr, varying }: Pick<OutputPart, 'sqnr' | 'varying'>,
  data?: Pick<DataReport, 'source' | 'noData'> | null,
): number | undefined {
  if (sqnr === null || typeof varying !== 'number' || sqnr - varying <= HIDDEN) return undefined;
  const noise = data && (data.noData !== undefined || ['none', 'noise', 'random'].includes(data.source));
  return noise ? undefined : varying;
}

/** Whether one of the outputs loses what differs between samples behind a constant that is kept. */
export function losesDifferences({ data, output }: Pick<AnalysisReport, 'data' | 'output'>): boolean {
  const hidden = Object.values(output ?? {}).map((one) => hiddenLoss(one, data));
  return hidden.some((db) => db !== undefined && verdictOf(db) !== 'good');
}

/** Verdict of a figure in dB. */
export function verdictOf(db: Decibel | undefined): Verdict {
  if (db === null || db === undefined) return 'unknown';
  // Judged as it is shown, to a tenth: "20.0 dB" must not be called less than good.
  const shown = Math.round(db * 10) / 10;
  if (shown >= goodFrom) return 'good';
  return shown >= watchFrom ? 'watch' : 'bad';
}
