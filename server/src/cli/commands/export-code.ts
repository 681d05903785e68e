/** `export-code RECIPE --as LIBRARY [-o FILE.py]`: what a recipe decides, as Python for another library. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { CodeLibrary } from '../../codegen/index';
import { issue } from '../../engine/base/issue';
import { outputIssue, writeText } from '../../engine/export/write';
import { recipePath } from '../../engine/recipe-data';
import { shortBytes } from '../../rules/numbers';
import { reported } from '../../rules/words';
import { inputFiles } from '../inputs';
import type { GlobalFlags } from '../options';
import { loadRecipe } from '../recipe';
import { exitCodes, failed, runCommand } from '../run';

export interface ExportCodeFlags extends GlobalFlags {
  readonly as: CodeLibrary;
  readonly output?: string;
  readonly force?: boolean;
}

const noModel = issue('recipe-value', { key: 'model', reason: 'missing', expected: 'the path of a model' });

export function exportCode(file: string, flags: ExportCodeFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal }) => {
    const loaded = loadRecipe(file, flags.seed);
    if (!loaded.value) return failed(terminal, loaded.issues);
    const { recipe, folder, text } = loaded.value;
    if (recipe.model === undefined) return failed(terminal, [noModel]);
    const model = recipePath(folder, recipe.model);
    const { output } = flags;
    if (output !== undefined) {
      const misplaced = outputIssue(output, [...inputFiles(engine, model), file]);
      if (misplaced) return failed(terminal, [misplaced]);
      if (!flags.force && fs.existsSync(output))
        return failed(terminal, [issue('output-exists', { path: output }, { path: output })]);
    }
    const end = await engine.run(
      { kind: 'code', model, recipe: text, recipeName: path.basename(file), library: flags.as, ...common },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const code = end.value.text;
    const bytes = Buffer.byteLength(code);
    if (output !== undefined) {
      const written = await writeText(output, code, [...inputFiles(engine, model), file], signal);
      if (!written.value) return failed(terminal, written.issues);
    }
    if (terminal.json) {
      const issues = end.issues.map(reported);
      terminal.document(
        output === undefined
          ? { library: flags.as, text: code, issues }
          : { library: flags.as, output, bytes, issues },
      );
      return exitCodes.done;
    }
    terminal.notes(end.issues);
    terminal.print(output === undefined ? code.trimEnd() : `${output}: ${flags.as}, ${shortBytes(bytes)}`);
    return exitCodes.done;
  });
}
