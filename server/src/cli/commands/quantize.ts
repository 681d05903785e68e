/** `quantize MODEL (--scheme S | --recipe R) … -o OUT.onnx`: plan, export, load, run, compare. */
import * as path from 'node:path';
import { issue } from '../../engine/base/issue';
import { outputIssue } from '../../engine/export/write';
import { decibels, percent, shortBytes } from '../../rules/numbers';
import { hiddenLoss } from '../../rules/verdict';
import { reported } from '../../rules/words';
import { inputFiles } from '../inputs';
import type { DataFlags, GlobalFlags } from '../options';
import { type PlanFlags, planJob } from '../plan-job';
import { hiddenLine, judged } from '../report';
import { exitCodes, failed, runCommand } from '../run';
import { table } from '../table';

export interface QuantizeFlags extends GlobalFlags, DataFlags, PlanFlags {
  readonly output?: string;
}

const noOutput = issue('recipe-value', { key: '-o', reason: 'no output file is named', expected: 'a path' });

export function quantize(model: string, flags: QuantizeFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe, note }) => {
    const job = planJob(model, flags, recipe, common);
    if (!job.value) return failed(terminal, job.issues);
    const planned = recipe?.recipe.output;
    const output = flags.output ?? (planned && recipe ? path.resolve(recipe.folder, planned) : undefined);
    if (output === undefined) return failed(terminal, [noOutput]);
    const inputs = inputFiles(engine, model, [job.value.data?.source, ...job.value.files]);
    const misplaced = outputIssue(output, inputs);
    if (misplaced) return failed(terminal, [misplaced]);
    const { scheme, estimator } = job.value.job;
    note.add({
      kind: 'quantize',
      model,
      scheme: scheme ?? 'recipe',
      estimator,
      source: job.value.data?.source,
    });
    const end = await engine.run(
      { kind: 'quantize', output, ...job.value.job },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const report = end.value;
    note.add({ scheme: report.scheme, samples: report.verification.samples, outputFile: report.output });
    note.addOutput(report.verification, 'deployed');
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
    const hidden = hiddenLoss(verification, { source: verification.data });
    terminal.print(
      `\n${report.output}: ${shortBytes(report.bytesBefore)} → ${shortBytes(report.bytesAfter)}; loaded, run and compared with the float model on ${verification.samples} samples (${verification.data}): ` +
        `output ${judged(verification.sqnr, hidden)}${verification.topOneAgreement === null ? '' : `, top-1 agreement ${percent(verification.topOneAgreement)}`}${report.estimator === undefined ? '' : `, ranges by ${report.estimator}`}`,
    );
    for (const text of hiddenLine(hidden)) terminal.print(text);
    if (report.latency) {
      const ratio = report.latency.float / report.latency.quantized;
      terminal.print(
        `one forward, batch 1: float ${report.latency.float.toFixed(2)} ms, quantized ${report.latency.quantized.toFixed(2)} ms (${ratio.toFixed(2)}× as fast)`,
      );
    }
    return exitCodes.done;
  });
}
