/** `quantize MODEL (--scheme S | --recipe R) … -o OUT.onnx`: plan, export, load, run, compare. */
import * as path from 'node:path';
import { issue } from '../../engine/base/issue';
import { outputIssue } from '../../engine/export/write';
import { isAvailable, methodIssue } from '../../engine/methods/available';
import { readRangesFile } from '../../engine/ranges-file';
import { decibels, percent, shortBytes } from '../../rules/numbers';
import { reported } from '../../rules/words';
import { inputFiles } from '../inputs';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { judged } from '../report';
import { exitCodes, failed, runCommand } from '../run';
import { table } from '../table';

export interface QuantizeFlags extends GlobalFlags, DataFlags {
  readonly scheme?: string;
  readonly ranges?: string;
  readonly target?: string;
  readonly estimator?: string;
  readonly methods?: readonly string[];
  readonly keepFloat?: readonly string[];
  readonly output?: string;
}

export function quantize(model: string, flags: QuantizeFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe }) => {
    if (flags.scheme === undefined && !recipe) {
      return failed(terminal, [usage('--scheme or --recipe', 'neither is given', 'one of them')]);
    }
    const unsupported = flags.methods?.find((method) => !isAvailable(method));
    if (unsupported !== undefined) return failed(terminal, [methodIssue(unsupported)]);
    const planned = recipe?.recipe.output;
    const output = flags.output ?? (planned && recipe ? path.resolve(recipe.folder, planned) : undefined);
    if (output === undefined) return failed(terminal, [usage('-o', 'no output file is named', 'a path')]);
    const ranges = flags.ranges === undefined ? undefined : readRangesFile(flags.ranges);
    if (ranges && !ranges.value) return failed(terminal, ranges.issues);
    const data = dataSpec(flags, recipe?.data);
    const inputs = inputFiles(engine, model, [data?.source, flags.recipe, flags.ranges]);
    const misplaced = outputIssue(output, inputs);
    if (misplaced) return failed(terminal, [misplaced]);
    const end = await engine.run(
      {
        kind: 'quantize',
        model,
        output,
        recipe: recipe?.text,
        scheme: flags.scheme,
        estimator: flags.estimator,
        keepFloat: flags.keepFloat ?? [],
        target: flags.target,
        data,
        ranges: ranges?.value,
        rangesPath: flags.ranges,
        ...common,
      },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const report = end.value;
    if (terminal.json) {
      terminal.document({ ...report, issues: report.issues.map(reported) });
      return exitCodes.done;
    }
    terminal.notes(report.issues);
    terminal.print(
      table(
        [
          { title: 'layer' },
          { title: 'weights' },
          { title: 'activations' },
          { title: 'bytes', align: 'right' },
          { title: 'weight SQNR', align: 'right' },
        ],
        report.layers.map((layer) => [
          layer.name,
          layer.weights,
          layer.activations,
          shortBytes(layer.bytes),
          decibels(layer.weightSqnr),
        ]),
      ),
    );
    const { verification } = report;
    terminal.print(
      `\n${report.output}: ${shortBytes(report.bytesBefore)} → ${shortBytes(report.bytesAfter)}; loaded, run and compared with the float model on ${verification.samples} samples (${verification.data}): ` +
        `output ${judged(verification.sqnr)}${verification.topOneAgreement === null ? '' : `, top-1 agreement ${percent(verification.topOneAgreement)}`}`,
    );
    if (report.latency) {
      const ratio = report.latency.float / report.latency.quantized;
      terminal.print(
        `one forward, batch 1: float ${report.latency.float.toFixed(2)} ms, quantized ${report.latency.quantized.toFixed(2)} ms (${ratio.toFixed(2)}× as fast)`,
      );
    }
    return exitCodes.done;
  });
}

function usage(key: string, reason: string, expected: string) {
  return issue('recipe-value', { key, reason, expected });
}
