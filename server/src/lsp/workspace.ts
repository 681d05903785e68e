/**
 * What the server knows of models and recipes: the parsed file, the best report so far, the recipe beside it. Answers
 * come from memory; weight analysis runs in a child and announces itself through `onChanged`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { hasErrors, type Issue } from '../engine/base/issue';
import type { Outcome } from '../engine/base/outcome';
import { type ParsedRecipe, parseRecipe } from '../engine/format/recipe';
import type { OpenModel } from '../engine/graph/open';
import { defaultThreads, type Engine, stampOf } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import type { Settings } from '../protocol/lsp-ext';
import type { AnalysisReport } from '../protocol/reports';
import type { AnalysisState, ModelView } from '../protocol/views';
import { findingsOf, modelView } from '../rules/model-view';
import { recipePathOf, uriOf } from './convert';

/** A model as it stands now. */
export interface ModelState {
  readonly path: string;
  readonly uri: string;
  readonly state: AnalysisState;
  readonly report: AnalysisReport | undefined;
  readonly recipe: ParsedRecipe | undefined;
  readonly recipeUri: string | undefined;
  readonly findings: readonly Issue[];
  readonly problems: readonly Issue[];
}

interface Entry {
  /** Size and mtime the entry belongs to, as text. */
  stamp: string;
  header: AnalysisReport | undefined;
  problems: readonly Issue[];
  state: AnalysisState;
  running: AbortController | undefined;
  findings: { readonly key: unknown; readonly recipe: unknown; readonly list: readonly Issue[] } | undefined;
}

export interface WorkspaceHost {
  readonly engine: Engine;
  settings(): Settings;
  trusted(): boolean;
  /** Text of a recipe that is open in the editor, saved or not. */
  openText(uri: string): { readonly text: string; readonly version: number } | undefined;
  log(line: string): void;
}

/** Reports from partial weight results are announced at most this often, milliseconds. */
const ANNOUNCE_INTERVAL = 250;

export class Workspace {
  private readonly entries = new Map<string, Entry>();
  private readonly recipes = new Map<string, { readonly key: string; readonly parsed: ParsedRecipe }>();

  /** `onChanged` gets the path of a model whose report, recipe or state changed. */
  constructor(
    private readonly host: WorkspaceHost,
    private readonly onChanged: (path: string) => void,
  ) {}

  get busy(): boolean {
    return [...this.entries.values()].some((entry) => entry.running !== undefined);
  }

  common(): CommonOptions {
    return { threads: this.host.settings().threads || defaultThreads(), seed: 0, dimensions: {} };
  }

  /** The parsed model file; kept open while it does not change. */
  open(file: string): Outcome<OpenModel> {
    return this.host.engine.model(file);
  }

  /** Everything known of a model, from memory; the first call reads its header. */
  model(file: string): ModelState {
    const entry = this.entry(file);
    const recipe = this.recipeOf(file);
    const report = this.host.engine.report(file) ?? entry.header;
    return {
      path: file,
      uri: uriOf(file),
      state: entry.state,
      report,
      recipe: recipe?.parsed,
      recipeUri: recipe && uriOf(recipePathOf(file)),
      findings: this.findings(entry, report, recipe?.parsed),
      problems: entry.problems,
    };
  }

  /** What the editor surfaces show. */
  view(file: string): ModelView {
    const { uri, state, report, recipe, recipeUri, problems } = this.model(file);
    return modelView({
      uri,
      name: path.basename(file),
      state,
      trusted: this.host.trusted(),
      report,
      recipe: recipe?.recipe,
      recipeUri,
      severities: this.host.settings().severity,
      problems,
    });
  }

  /** Starts the weight analysis of a model unless it ran, runs, or the file is larger than the setting allows. */
  analyze(file: string, force = false): void {
    const entry = this.entry(file);
    if (!entry.header || entry.running || !['header', 'too-large', 'failed'].includes(entry.state)) return;
    if (entry.state === 'failed' && !force) return;
    if (!force && entry.header.model.bytes > this.host.settings().analyzeOnOpen * 1e6) {
      entry.state = 'too-large';
      return;
    }
    entry.running = new AbortController();
    entry.state = 'weights-running';
    void this.runWeights(file, entry, entry.running.signal);
  }

  /** A recipe document or file, parsed once per version; `undefined` when it does not exist. */
  recipe(uri: string, file: string): ParsedRecipe | undefined {
    const open = this.host.openText(uri);
    const stamp = open ? undefined : stampOf(file);
    if (!open && !stamp) return undefined;
    const key = open ? `v${open.version}` : JSON.stringify(stamp);
    const held = this.recipes.get(uri);
    if (held?.key === key) return held.parsed;
    const parsed = parseRecipe(open ? open.text : readText(file));
    this.recipes.set(uri, { key, parsed });
    return parsed;
  }

  /** Text of a recipe as the editor or the disk has it. */
  recipeText(uri: string, file: string): string {
    return this.host.openText(uri)?.text ?? readText(file);
  }

  /** Tells that a file changed on disk or a recipe in an editor. */
  changed(file: string): void {
    if (file.endsWith('.quant.json')) {
      for (const model of this.entries.keys()) if (recipePathOf(model) === file) this.onChanged(model);
      return;
    }
    const entry = this.entries.get(file);
    if (!entry) return;
    const stamp = stampText(file);
    if (entry.stamp === stamp) return;
    entry.running?.abort();
    this.entries.delete(file);
    this.onChanged(file);
  }

  /** Announces every known model again: settings, trust or cache changed. */
  refreshAll(): void {
    for (const [file, entry] of this.entries) {
      entry.findings = undefined;
      this.onChanged(file);
    }
  }

  /** Forgets results; models are analysed anew when asked for. */
  clear(): void {
    for (const entry of this.entries.values()) entry.running?.abort();
    this.entries.clear();
  }

  /** A measured report arrived from a job. */
  remember(file: string, report: AnalysisReport, state: AnalysisState): void {
    this.host.engine.remember(file, report);
    this.entry(file).state = state;
    this.onChanged(file);
  }

  private entry(file: string): Entry {
    const stamp = stampText(file);
    const held = this.entries.get(file);
    if (held?.stamp === stamp) return held;
    held?.running?.abort();
    const inspected = this.host.engine.inspect(file);
    const known = this.host.engine.report(file);
    const entry: Entry = {
      stamp,
      header: inspected.value,
      // A readable model carries its own issues in the report.
      problems: inspected.value ? [] : inspected.issues,
      state:
        !inspected.value || hasErrors(inspected.issues)
          ? 'failed'
          : known?.layers.some((layer) => layer.weightSqnr)
            ? 'weights'
            : 'header',
      running: undefined,
      findings: undefined,
    };
    this.entries.set(file, entry);
    return entry;
  }

  private async runWeights(file: string, entry: Entry, signal: AbortSignal): Promise<void> {
    let announced = 0;
    this.onChanged(file);
    const outcome = await this.host.engine.weights(file, this.common(), {
      signal,
      partial: () => {
        if (performance.now() - announced < ANNOUNCE_INTERVAL) return;
        announced = performance.now();
        this.onChanged(file);
      },
    });
    entry.running = undefined;
    // The file changed meanwhile: another entry stands in its place and has its own run.
    if (this.entries.get(file) !== entry) return;
    entry.state = outcome.value ? 'weights' : 'failed';
    if (!outcome.value) {
      entry.problems = outcome.issues;
      this.host.log(`weights of ${file}: ${outcome.issues.map((one) => one.code).join(', ')}`);
    }
    this.onChanged(file);
  }

  private recipeOf(file: string): { readonly parsed: ParsedRecipe } | undefined {
    const recipeFile = recipePathOf(file);
    const parsed = this.recipe(uriOf(recipeFile), recipeFile);
    return parsed && { parsed };
  }

  private findings(
    entry: Entry,
    report: AnalysisReport | undefined,
    recipe: ParsedRecipe | undefined,
  ): readonly Issue[] {
    if (!report) return [];
    const held = entry.findings;
    if (held && held.key === report && held.recipe === recipe) return held.list;
    const list = findingsOf(report, recipe?.recipe, this.host.settings().severity);
    entry.findings = { key: report, recipe, list };
    return list;
  }
}

function stampText(file: string): string {
  return JSON.stringify(stampOf(file) ?? null);
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // Deleted between the two calls: an empty recipe says what is missing.
    return '';
  }
}
