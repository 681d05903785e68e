/** `compare FLOAT QUANTIZED --data SRC`: local and cumulative error per layer of a quantized file. */
import { issue } from '../../engine/base/issue';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { jsonReport, layerTable, outputLines } from '../report';
import { exitCodes, failed, runCommand } from '../run';

export type CompareFlags = GlobalFlags & DataFlags;

export function compare(float: string, quantized: string, flags: CompareFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe }) => {
    const data = dataSpec(flags, recipe?.data);
    if (!data) return failed(terminal, [issue('data-not-found', { source: '--data' })]);
    const end = await engine.run(
      { kind: 'compare', float, quantized, data, ...common },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    if (terminal.json) terminal.document(jsonReport(end.value));
    else {
      terminal.print(layerTable(end.value));
      terminal.print(`\n${outputLines(end.value)}`);
      terminal.notes(end.value.issues);
    }
    return exitCodes.done;
  });
}
