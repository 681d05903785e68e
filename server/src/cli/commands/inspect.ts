/** `inspect MODEL`: facts from headers, never starts native inference. */
import { hasErrors } from '../../engine/base/issue';
import type { GlobalFlags } from '../options';
import { factLines, jsonReport, layerTable } from '../report';
import { exitCodes, failed, runCommand } from '../run';

export interface InspectFlags extends GlobalFlags {
  readonly fingerprint?: boolean;
}

export function inspect(model: string, flags: InspectFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal }) => {
    const inspected = engine.inspect(model, common.dimensions);
    if (!inspected.value || hasErrors(inspected.issues)) return failed(terminal, inspected.issues);
    let report = inspected.value;
    if (flags.fingerprint) {
      const fingerprint = await engine.fingerprint(model, signal);
      if (!fingerprint.value) return failed(terminal, fingerprint.issues);
      report = { ...report, model: { ...report.model, fingerprint: fingerprint.value } };
    }
    if (terminal.json) terminal.document(jsonReport(report));
    else {
      terminal.print(factLines(report));
      if (report.layers.length > 0) terminal.print(`\n${layerTable(report)}`);
    }
    terminal.notes(report.issues);
    return exitCodes.done;
  });
}
