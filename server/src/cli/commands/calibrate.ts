/** `calibrate MODEL --data SRC --estimator E -o R.json`: activation ranges with fingerprints of model and data. */

import * as path from 'node:path';
import { issue } from '../../engine/base/issue';
import { outputIssue, writeText } from '../../engine/export/write';
import { stateFile } from '../../engine/runtime/state-file';
import { shortBytes } from '../../rules/numbers';
import { inputFiles } from '../inputs';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { exitCodes, failed, runCommand } from '../run';

export interface CalibrateFlags extends GlobalFlags, DataFlags {
  readonly estimator?: string;
  readonly output: string;
  readonly untilStable?: boolean;
  readonly resume?: boolean;
}

export function calibrate(model: string, flags: CalibrateFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe, note }) => {
    const data = dataSpec(flags, recipe?.data);
    if (!data) return failed(terminal, [issue('data-not-found', { source: '--data' })]);
    const inputs = inputFiles(engine, model, [data.source, flags.recipe]);
    const misplaced = outputIssue(flags.output, inputs);
    if (misplaced) return failed(terminal, [misplaced]);
    const estimator = flags.estimator ?? recipe?.recipe.default.estimator ?? 'min-max';
    const state = {
      file: stateFile(path.resolve(flags.output)),
      resume: flags.resume ? ('strict' as const) : ('no' as const),
    };
    const { untilStable } = flags;
    note.add({ kind: 'calibrate', model, estimator, source: data.source });
    const end = await engine.run(
      { kind: 'calibrate', model, data, estimator, untilStable, state, ...common },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const text = `${JSON.stringify(end.value, null, 2)}\n`;
    const written = await writeText(flags.output, text, inputs);
    if (!written.value) return failed(terminal, written.issues);
    terminal.notes(end.issues);
    const count = Object.keys(end.value.ranges).length;
    note.add({
      samples: end.value.data.samples,
      outputFile: flags.output,
      summary: `Ranges of ${count} tensors.`,
    });
    if (terminal.json) terminal.document({ output: flags.output, ...end.value });
    else {
      const { samples, stable } = end.value.data;
      const enough = stable ? ` of ${stable.of}, as half as many gave nearly the same ranges` : '';
      terminal.print(
        `${flags.output}: ranges of ${count} tensors from ${samples} samples${enough} (${end.value.estimator}), ${shortBytes(text.length)}`,
      );
    }
    return exitCodes.done;
  });
}
