/** From the report of a comparison to what the compare view shows: figures, verdicts, findings. Pure; no I/O. */
import type { Issue } from '../protocol/issues';
import type { AnalysisReport, Decibel, LayerReport } from '../protocol/reports';
import type { CompareView } from '../protocol/views';
import type { SeveritySettings } from './index';
import { findingsOf } from './model-view';
import { problemLines } from './problem-lines';
import type { ThresholdSettings } from './thresholds';
import { verdictOf } from './verdict';
import { reported } from './words';

/** Key of a compared file's figures, in place of a scheme (contract: report). */
const KEY = 'file';

export interface CompareInput {
  readonly state: CompareView['state'];
  readonly trusted: boolean;
  readonly floatName: string;
  readonly quantizedName: string;
  readonly floatBytes?: number;
  readonly quantizedBytes?: number;
  /** As far as it has come. */
  readonly report: AnalysisReport | undefined;
  /** What is known of the float model beside it: facts of its weights, which findings need. */
  readonly float: AnalysisReport | undefined;
  readonly severities: SeveritySettings;
  readonly thresholds?: ThresholdSettings;
  /** Of the job. */
  readonly issues: readonly Issue[];
}

/** Layers that were found in both files, in graph order; those without figures are left out. */
export function compareView(input: CompareInput): CompareView {
  const { report, state, trusted, floatName, quantizedName, floatBytes, quantizedBytes } = input;
  const found = report ? compareFindings(report, input) : [];
  const codes = new Map<string, string[]>();
  for (const { code, anchor } of found) {
    if (anchor.layer === undefined) continue;
    codes.set(anchor.layer, [...(codes.get(anchor.layer) ?? []), code]);
  }
  return {
    state,
    trusted,
    floatName,
    quantizedName,
    floatBytes,
    quantizedBytes,
    data: report?.data ?? null,
    output: report?.output?.[KEY],
    layers: (report?.layers ?? []).flatMap((layer) => row(layer, codes.get(layer.name) ?? [])),
    findings: found.map(reported),
    problems: problemLines(input.issues),
  };
}

function row(layer: LayerReport, findings: readonly string[]): CompareView['layers'] {
  const local = layer.local?.[KEY];
  const cumulative = layer.cumulative?.[KEY];
  if (local === undefined && cumulative === undefined) return [];
  const some = <K extends string>(key: K, value: Decibel | undefined) =>
    value === undefined ? {} : { [key]: value };
  const metrics = layer.metrics?.[KEY];
  const cumulativeMetrics = layer.cumulativeMetrics?.[KEY];
  return [
    {
      name: layer.name,
      op: layer.op,
      local: local ?? null,
      cumulative: cumulative ?? null,
      ...some('localWeights', layer.localWeights?.[KEY]),
      ...some('localActivations', layer.localActivations?.[KEY]),
      ...(metrics ? { metrics } : {}),
      ...(cumulativeMetrics ? { cumulativeMetrics } : {}),
      verdict: verdictOf(cumulative ?? local),
      findings,
    },
  ];
}

/** Only where the report tells how the file is quantized: without, rules would judge a plan that nobody made. */
function compareFindings(
  report: AnalysisReport,
  { float, severities, thresholds, quantizedName }: Omit<CompareInput, 'report'>,
): readonly Issue[] {
  if (!report.layers.some(({ quantized }) => quantized)) return [];
  const known = new Map(float?.layers.map((layer) => [layer.name, layer]));
  const layers = report.layers.map((layer) => ({ ...known.get(layer.name), ...layer }));
  return findingsOf({ ...report, layers }, undefined, severities, thresholds).map((one) =>
    named(one, quantizedName),
  );
}

/** Where a sentence names the scheme, this file is meant. */
function named(found: Issue, file: string): Issue {
  const { facts } = found;
  return 'scheme' in facts && facts.scheme === KEY
    ? ({ ...found, facts: { ...facts, scheme: file } } as Issue)
    : found;
}
