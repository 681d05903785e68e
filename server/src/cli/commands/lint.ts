/** `lint PATH…`: findings for models and recipes, as text, JSON or SARIF 2.1.0. Exit code 1 when any is an error. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { throwIfCancelled } from '../../engine/base/cancel';
import { anchored, issue } from '../../engine/base/issue';
import { parseRecipe, type Recipe } from '../../engine/format/recipe';
import type { Engine } from '../../engine/index';
import type { CommonOptions } from '../../engine/jobs';
import type { Issue } from '../../protocol/issues';
import { findingsOf } from '../../rules/model-view';
import { recipeIssues } from '../../rules/recipe-issues';
import { line, reported } from '../../rules/words';
import type { GlobalFlags } from '../options';
import { exitCodes, failed, runCommand } from '../run';
import { sarif } from '../sarif';

export interface LintFlags extends GlobalFlags {
  readonly format?: 'text' | 'json' | 'sarif';
}

export function lint(paths: readonly string[], flags: LintFlags): Promise<number> {
  return runCommand(
    { ...flags, json: flags.json || flags.format === 'json' },
    async ({ engine, terminal, common, signal, recipe }) => {
      const files = paths.flatMap(lintable);
      const missing = files.filter((file) => !fs.existsSync(file));
      if (missing.length > 0)
        return failed(
          terminal,
          missing.map((file) => issue('file-not-found', { path: file }, { path: file })),
        );
      const found: Issue[] = [];
      for (const file of files) {
        throwIfCancelled(signal);
        found.push(...(await lintFile(engine, common, file, recipe?.recipe, signal)));
      }
      if (flags.format === 'sarif') process.stdout.write(`${JSON.stringify(sarif(found), null, 2)}\n`);
      else if (terminal.json)
        terminal.document({
          files,
          issues: found.map((one) => ({ ...reported(one), path: one.anchor.path, span: one.anchor.span })),
        });
      else {
        for (const one of found) terminal.print(`${one.severity} ${one.code} ${line(one)}`);
        terminal.print(`${counted(files.length, 'file')}, ${counted(found.length, 'finding')}`);
      }
      return found.some((one) => one.severity === 'error') ? exitCodes.findings : exitCodes.done;
    },
  );
}

async function lintFile(
  engine: Engine,
  common: CommonOptions,
  file: string,
  given: Recipe | undefined,
  signal: AbortSignal,
): Promise<readonly Issue[]> {
  if (file.endsWith('.quant.json')) return lintRecipe(engine, file);
  const report = await engine.weights(file, common, { signal });
  throwIfCancelled(signal);
  const beside = recipeBeside(file);
  const recipe = given ?? (beside ? parseRecipe(fs.readFileSync(beside, 'utf8')).recipe : undefined);
  const found = report.value ? findingsOf(report.value, recipe) : [];
  return [...report.issues, ...found].map((one) => anchored(one, { path: file }));
}

function lintRecipe(engine: Engine, file: string): readonly Issue[] {
  const parsed = parseRecipe(fs.readFileSync(file, 'utf8'));
  const folder = path.dirname(path.resolve(file));
  const issues = recipeIssues(parsed, (model) => engine.inspect(path.resolve(folder, model)));
  return issues.map((one) => anchored(one, { path: file }));
}

/** `NAME.quant.json` beside `NAME.onnx`. */
function recipeBeside(model: string): string | undefined {
  const file = model.replace(/\.[^.]+$/, '.quant.json');
  return fs.existsSync(file) ? file : undefined;
}

/** A file as it is; a folder's models and recipes, sorted, hidden folders and node_modules left out. */
function lintable(root: string): readonly string[] {
  if (!fs.statSync(root, { throwIfNoEntry: false })?.isDirectory()) return [root];
  return fs
    .readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(onnx|onnxtxt|quant\.json)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !file
          .split(path.sep)
          .some((part) => part === 'node_modules' || (part.startsWith('.') && part !== '.')),
    )
    .sort();
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
