/**
 * `lint PATH…`: findings for models, recipes and scripts, as text, JSON or SARIF 2.1.0. Exit code 1 when any is an error,
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
import type { ScriptTarget } from '../../rules/script/script-rule';
import { line, reported, sentence } from '../../rules/words';
import { type LintConfig, readLintConfig } from '../lint-config';
import { isScript, lintScript, type ScriptLint } from '../lint-scripts';
import { lintable } from '../lintable';
import type { GlobalFlags } from '../options';
import { exitCodes, failed, runCommand } from '../run';
import { sarif } from '../sarif';

export interface LintFlags extends GlobalFlags {
  readonly format?: 'text' | 'json' | 'sarif';
  /** File of severities and thresholds. */
  readonly config?: string;
  /** Processor that scripts quantize for. */
  readonly target?: ScriptTarget;
  /** Apply the safe fixes of scripts. */
  readonly fix?: boolean;
}

export function lint(paths: readonly string[], flags: LintFlags): Promise<number> {
  return runCommand(
    { ...flags, json: flags.json || flags.format === 'json' },
    async ({ engine, terminal, common, signal, recipe }) => {
      const config = readLintConfig(flags.config);
      if (!config.value) return failed(terminal, config.issues);
      const walked = paths.map(lintable);
      const files = [...new Set(walked.flatMap((one) => one.files))];
      const missing = files.filter((file) => !fs.existsSync(file));
      if (missing.length > 0)
        return failed(
          terminal,
          missing.map((file) => issue('file-not-found', { path: file }, { path: file })),
        );
      const found: Issue[] = walked.flatMap((one) => one.issues);
      const scripts = new Map<string, ScriptLint>();
      let unreadable = found.length > 0;
      let fixed = 0;
      const context = { engine, common, config: config.value, signal };
      const settings = { severities: config.value.severities, target: flags.target };
      for (const file of files) {
        throwIfCancelled(signal);
        if (isScript(file)) {
          const script = await lintScript(file, settings, flags.fix === true);
          found.push(...script.issues, ...(script.value?.issues ?? []));
          if (script.value) scripts.set(file, script.value);
          fixed += script.value?.fixed ?? 0;
          unreadable ||= script.value === undefined;
        } else {
          const { issues, readable } = await lintFile(context, file, recipe?.recipe);
          found.push(...issues);
          unreadable ||= !readable;
        }
      }
      if (flags.format === 'sarif') {
        const read = (file: string) => scripts.get(file)?.text ?? textOf(file);
        const cells = new Map(found.map((one) => [inFile(one, scripts), cellOf(one, scripts)]));
        const log = sarif([...cells.keys()], read, !unreadable, (one) => cells.get(one));
        process.stdout.write(`${JSON.stringify(log, null, 2)}\n`);
      } else if (terminal.json)
        terminal.document({
          files,
          issues: found.map((one) => ({
            ...reported(one),
            path: one.anchor.path,
            span: inFile(one, scripts).anchor.span,
            place: placeOf(one, scripts),
          })),
        });
      else {
        for (const one of found) terminal.print(printed(one, scripts));
        const repaired = flags.fix ? `, ${counted(fixed, 'fix')} applied` : '';
        terminal.print(`${counted(files.length, 'file')}, ${counted(found.length, 'finding')}${repaired}`);
      }
      if (unreadable) return exitCodes.input;
      return hasErrors(found) ? exitCodes.findings : exitCodes.done;
    },
  );
}

/** Findings in scripts begin with a place that terminals and problem matchers know: `train.py:12:5: warning S24: …`. */
function printed(one: Issue, scripts: ReadonlyMap<string, ScriptLint>): string {
  const place = placeOf(one, scripts);
  if (place === undefined) return `${one.severity} ${one.code} ${line(one)}`;
  return `${one.anchor.path}:${place}: ${one.severity} ${one.code}: ${sentence(one)}`;
}

/** `12:5` in a script, `cell 3:2:5` in a notebook; undefined for issues of other files. */
function placeOf({ anchor }: Issue, scripts: ReadonlyMap<string, ScriptLint>): string | undefined {
  const script = anchor.path === undefined ? undefined : scripts.get(anchor.path);
  return anchor.span && script?.place(anchor.span);
}

/** An issue whose span counts in the file itself, not in the program that the cells of a notebook make. */
function inFile(one: Issue, scripts: ReadonlyMap<string, ScriptLint>): Issue {
  const { path: file, span } = one.anchor;
  const script = file === undefined ? undefined : scripts.get(file);
  return script && span ? { ...one, anchor: { ...one.anchor, span: script.inFile(span) } } : one;
}

/** `cell 3` of a finding in a notebook. */
function cellOf({ anchor }: Issue, scripts: ReadonlyMap<string, ScriptLint>): string | undefined {
  const script = anchor.path === undefined ? undefined : scripts.get(anchor.path);
  return anchor.span && script?.cell?.(anchor.span);
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

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : what.endsWith('x') ? 'es' : 's'}`;
}
