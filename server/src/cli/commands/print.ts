/** `print MODEL [-o F.onnxtxt]`: ONNX textual syntax, weights elided. */
import { hasErrors } from '../../engine/base/issue';
import { outputIssue, writeText } from '../../engine/export/write';
import { printModelText } from '../../engine/model-text';
import { shortBytes } from '../../rules/numbers';
import { inputFiles } from '../inputs';
import type { GlobalFlags } from '../options';
import { exitCodes, failed, runCommand } from '../run';

export interface PrintFlags extends GlobalFlags {
  readonly output?: string;
  readonly full?: boolean;
}

export function print(model: string, flags: PrintFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal }) => {
    const opened = engine.model(model);
    if (!opened.value) return failed(terminal, opened.issues);
    const inputs = inputFiles(engine, model);
    const misplaced = flags.output === undefined ? undefined : outputIssue(flags.output, inputs);
    if (misplaced) return failed(terminal, [misplaced]);
    const printed = printModelText(opened.value, flags.full ?? false);
    if (!printed.value || hasErrors(printed.issues)) return failed(terminal, printed.issues);
    const { text } = printed.value;
    if (flags.output !== undefined) {
      const written = await writeText(flags.output, text, inputs);
      if (!written.value) return failed(terminal, written.issues);
      if (terminal.json) terminal.document({ output: flags.output, bytes: Buffer.byteLength(text) });
      else terminal.print(`${flags.output}: ${shortBytes(Buffer.byteLength(text))}`);
    } else if (terminal.json) terminal.document({ text });
    else terminal.print(text.trimEnd());
    terminal.notes(printed.issues);
    return exitCodes.done;
  });
}
