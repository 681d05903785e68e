/** `analyze --overlay`: the figures of a report as files for Model Explorer, one a metric. */
import * as path from 'node:path';
import { type Issue, issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { outputIssue, writeText } from '../engine/export/write';
import { writeOverlay } from '../engine/format/overlay';
import { listLayers } from '../engine/graph/layers';
import type { Engine } from '../engine/index';
import type { AnalysisReport, Decibel } from '../protocol/reports';
import { goodFrom, watchFrom } from '../rules/verdict';
import { inputFiles } from './inputs';
import { usualFormats } from './report';
import type { CommandContext } from './run';

/** Verdicts are given on tenths of a decibel. */
const TENTH = 0.05;
const thresholds = [
  { limit: watchFrom - TENTH, color: '#e57373' },
  { limit: goodFrom - TENTH, color: '#ffd54f' },
  { limit: 120, color: '#81c784' },
];

/** What stands against writing overlays of this model there; ask before measuring. */
export function overlayIssue(engine: Engine, model: string, file: string): Issue | undefined {
  const opened = engine.model(model);
  if (opened.value) return outputIssue(file, inputFiles(engine, model));
  const [first] = opened.issues;
  if (first?.code !== 'unsupported-feature') return first;
  const facts = { what: 'an overlay of a file without a graph', next: 'Use the ONNX model.' };
  return issue('unsupported-feature', facts, { path: model });
}

/** Writes `FILE`, or `FILE.METRIC.json` for each of several metrics, and says so. */
export async function writeOverlays(
  { engine, terminal, signal }: CommandContext,
  model: string,
  report: AnalysisReport,
  file: string,
  asked: readonly string[],
): Promise<Outcome<readonly string[]>> {
  const opened = engine.model(model);
  if (!opened.value) return fail(...opened.issues);
  const outputs = new Map(
    listLayers(opened.value.model).map((layer) => [layer.name, layer.node.output()?.name]),
  );
  const metrics = figuresOf(report, asked);
  const { dir, name, ext } = path.parse(file);
  const written: string[] = [];
  for (const [metric, figures] of metrics) {
    const byTensor = new Map(
      [...figures].flatMap(([layer, value]): [string, Decibel][] => {
        const tensor = outputs.get(layer);
        return tensor === undefined ? [] : [[tensor, value]];
      }),
    );
    const target = metrics.size === 1 ? file : path.join(dir, `${name}.${metric}${ext || '.json'}`);
    const text = writeOverlay(byTensor, thresholds);
    const end = await writeText(target, text, inputFiles(engine, model), signal);
    if (!end.value) return fail(...end.issues);
    written.push(target);
  }
  if (!terminal.json) terminal.print(`overlay: ${written.join(', ')}\n`);
  return ok(written);
}

/** Figures by metric and layer: what was measured and what was asked for, else the usual weight formats. */
function figuresOf(
  report: AnalysisReport,
  asked: readonly string[],
): ReadonlyMap<string, ReadonlyMap<string, Decibel>> {
  const metrics = new Map<string, Map<string, Decibel>>();
  const add = (metric: string, layer: string, value: Decibel) => {
    const known = metrics.get(metric) ?? new Map<string, Decibel>();
    metrics.set(metric, known.set(layer, value));
  };
  for (const layer of report.layers) {
    for (const effect of ['local', 'cumulative', 'outputEffect'] as const) {
      for (const [scheme, value] of Object.entries(layer[effect] ?? {})) {
        add(`${effect}.${scheme}`, layer.name, value);
      }
    }
    for (const [format, value] of Object.entries(layer.importanceSqnr ?? {})) {
      add(`imatrix.${format}`, layer.name, value);
    }
  }
  const formats = asked.length > 0 || metrics.size > 0 ? asked : usualFormats;
  for (const layer of report.layers) {
    for (const format of formats) {
      const value = layer.weightSqnr?.[format];
      if (value !== undefined) add(`weight.${format}`, layer.name, value);
    }
  }
  return metrics;
}
