/**
 * `lint PATH…`: findings for models and recipes, as text, JSON or SARIF 2.1.0. Exit code 1 when any is an error,
 * 2 when a file could not be read, so that a broken model never passes.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { throwIfCancelled } from '../../engine/base/cancel';
import { anchored, hasErrors, issue } from '../../engine/base/issue';
import { parseRecipe, type Recipe } from '../../engine/format/recipe';
import type { Engine } from '../../engine/index';
import type { CommonOptions } from '../../engine/jobs';
import type { Issue } from '../../protocol/issues';
import { withSeverities } from '../../rules/index';
import { findingsOf } from '../../rules/model-view';
import { recipeIssues } from '../../rules/recipe-issues';
import { line, reported } from '../../rules/words';
import { type LintConfig, readLintConfig } from '../lint-config';
import type { GlobalFlags } from '../options';
import { exitCodes, failed, runCommand } from '../run';
import { sarif } from '../sarif';

export interface LintFlags extends GlobalFlags {
  readonly format?: 'text' | 'json' | 'sarif';
  /** File of severities and thresholds. */
  readonly config?: string;
}

export function lint(paths: readonly string[], flags: LintFlags): Promise<number> {
  return runCommand(
    { ...flags, json: flags.json || flags.format === 'json' },
    async ({ engine, terminal, common, signal, recipe }) => {
      const config = readLintConfig(flags.config);
      if (!config.value) return failed(terminal, config.issues);
      const files = [...new Set(paths.flatMap(lintable))];
      const missing = files.filter((file) => !fs.existsSync(file));
      if (missing.length > 0)
        return failed(
          terminal,
          missing.map((file) => issue('file-not-found', { path: file }, { path: file })),
        );
      const found: Issue[] = [];
      let unreadable = false;
      for (const file of files) {
        throwIfCancelled(signal);
        const context = { engine, common, config: config.value, signal };
        const { issues, readable } = await lintFile(context, file, recipe?.recipe);
        found.push(...issues);
        unreadable ||= !readable;
      }
      if (flags.format === 'sarif')
        process.stdout.write(`${JSON.stringify(sarif(found, textOf, !unreadable), null, 2)}\n`);
      else if (terminal.json)
        terminal.document({
          files,
          issues: found.map((one) => ({ ...reported(one), path: one.anchor.path, span: one.anchor.span })),
        });
      else {
        for (const one of found) terminal.print(`${one.severity} ${one.code} ${line(one)}`);
        terminal.print(`${counted(files.length, 'file')}, ${counted(found.length, 'finding')}`);
      }
      if (unreadable) return exitCodes.input;
      return hasErrors(found) ? exitCodes.findings : exitCodes.done;
    },
  );
}

interface LintContext {
  readonly engine: Engine;
  readonly common: CommonOptions;
  readonly config: LintConfig;
  readonly signal: AbortSignal;
}

async function lintFile(
  { engine, common, config, signal }: LintContext,
  file: string,
  given: Recipe | undefined,
): Promise<{ readonly issues: readonly Issue[]; readonly readable: boolean }> {
  const { severities, thresholds } = config;
  if (file.endsWith('.quant.json'))
    return { issues: withSeverities(lintRecipe(engine, file), severities), readable: true };
  const report = await engine.weights(file, common, { signal });
  throwIfCancelled(signal);
  const beside = recipeBeside(file);
  const recipe = given ?? (beside ? parseRecipe(fs.readFileSync(beside, 'utf8')).recipe : undefined);
  const found = report.value ? findingsOf(report.value, recipe, severities, thresholds) : [];
  const issues = [...report.issues, ...found].map((one) => anchored(one, { path: file }));
  return { issues, readable: report.value !== undefined };
}

/** Text of a recipe or a model in text form, for regions. */
function textOf(file: string): string | undefined {
  if (!/\.(json|onnxtxt)$/.test(file)) return undefined;
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
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
