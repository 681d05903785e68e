/** `encodings MODEL (--scheme S | --recipe R) --format F -o FILE`: scales and zero points of the plan for other tools. */
import { outputIssue } from '../../engine/export/write';
import type { EncodingFormat } from '../../engine/jobs';
import { shortBytes } from '../../rules/numbers';
import { reported } from '../../rules/words';
import { inputFiles } from '../inputs';
import type { DataFlags, GlobalFlags } from '../options';
import { type PlanFlags, planJob } from '../plan-job';
import { exitCodes, failed, runCommand } from '../run';

export interface EncodingsFlags extends GlobalFlags, DataFlags, PlanFlags {
  readonly format: EncodingFormat;
  readonly output: string;
}

export function encodings(model: string, flags: EncodingsFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe }) => {
    const { output, format } = flags;
    const planned = planJob(model, flags, recipe, common);
    if (!planned.value) return failed(terminal, planned.issues);
    const inputs = inputFiles(engine, model, [planned.value.data?.source, ...planned.value.files]);
    const misplaced = outputIssue(output, inputs);
    if (misplaced) return failed(terminal, [misplaced]);
    const end = await engine.run(
      { kind: 'encodings', output, format, ...planned.value.job },
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
      `${report.output}: ${report.format}, ${report.activations} activations, ${report.weights} weights, ${shortBytes(report.bytes)}`,
    );
    return exitCodes.done;
  });
}
