/**
 * What the server knows of models and recipes: the parsed file, the best report so far, the recipe beside it. Answers
 * come from memory; weight analysis runs in a child and announces itself through `onChanged`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { hasErrors, type Issue } from '../engine/base/issue';
import type { Outcome } from '../engine/base/outcome';
import { inTurns } from '../engine/base/steps';
import { type ParsedRecipe, parseRecipe } from '../engine/format/recipe';
import type { Figures } from '../engine/format-figures';
import type { OpenModel } from '../engine/graph/open';
import { type Engine, stampOf } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import type { FileStamp } from '../engine/store';
import { defaultThreads } from '../engine/threads';
import type { Settings } from '../protocol/lsp-ext';
import type { Progress } from '../protocol/progress';
import type { AnalysisReport, LayerReport } from '../protocol/reports';
import type { AnalysisState, ModelView } from '../protocol/views';
import { findingsOf, findingsOfInSteps, modelView } from '../rules/model-view';
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
  /** Why the file cannot be read or measured. */
  readonly problems: readonly Issue[];
  /** Weight errors known of a layer in any format, those that {@link AnalysisReport} does not list included. */
  figures(layer: LayerReport): Figures;
}

/** Takes the reports of one measuring run; they are void once the file changed. */
export interface MeasuringRun {
  readonly take: (report: AnalysisReport) => void;
  /** The run's own or last report; undefined when it had none. */
  end(report: AnalysisReport | undefined): void;
}

/** A recipe with its address. */
export interface PlacedRecipe {
  readonly uri: string;
  readonly parsed: ParsedRecipe;
}

interface Entry {
  /** Size and mtime the entry belongs to, external data included, as text. */
  readonly stamp: string;
  readonly header: Outcome<AnalysisReport>;
  readonly readable: boolean;
  /** Ends what runs for the entry once its file changed. */
  readonly life: AbortController;
  /** Why the last analysis failed. */
  failure: readonly Issue[];
  weights: 'none' | 'running' | 'done' | 'failed' | 'too-large';
  /** Figures on data have arrived. */
  measured: boolean;
  /** Runs that measure the model on data now. */
  measuring: number;
  /** The newest findings, which stand for those of a newer report until these are made. */
  found?: { readonly recipe: ParsedRecipe | undefined; readonly list: readonly Issue[] };
  /** Findings that are being made. */
  finding?: Promise<void>;
}

export interface WorkspaceHost {
  readonly engine: Engine;
  settings(): Settings;
  trusted(): boolean;
  /** Text of a recipe that is open in the editor, saved or not. */
  openText(uri: string): { readonly text: string; readonly version: number } | undefined;
  log(line: string): void;
  /** A model reads external data from these files: whoever can shall tell when they change. */
  reads(files: readonly string[]): void;
  /** Shows progress of an analysis; the answer ends it. */
  progress(title: string): { report(progress: Progress): void; end(): void };
}

/** Partial results are announced at most this often, milliseconds; the editor spaces them further when they are long. */
const ANNOUNCE_INTERVAL = 250;

export class Workspace {
  private readonly entries = new Map<string, Entry>();
  private readonly recipes = new Map<string, { readonly key: string; readonly parsed: ParsedRecipe }>();
  private findingsHeld = new WeakMap<AnalysisReport, { recipe: ParsedRecipe | undefined; list: Issue[] }[]>();

  /** `onChanged` gets the path of a model whose report, recipe or state changed. */
  constructor(
    private readonly host: WorkspaceHost,
    private readonly onChanged: (path: string) => void,
  ) {}

  get busy(): boolean {
    return [...this.entries.values()].some(({ weights }) => weights === 'running');
  }

  get trusted(): boolean {
    return this.host.trusted();
  }

  /** Severity of findings by code, where the user chose one. */
  get severities(): Settings['severity'] {
    return this.host.settings().severity;
  }

  /** Numbers that findings compare with, where the user chose one. */
  get thresholds(): Settings['thresholds'] {
    return this.host.settings().thresholds;
  }

  /** Output effects are measured behind every calibration. */
  get measuresEffects(): boolean {
    return this.host.settings().outputEffectAfterCalibration;
  }

  common(): CommonOptions {
    return { threads: this.host.settings().threads || defaultThreads(), seed: 0, dimensions: {} };
  }

  /** The parsed model file; kept open while it does not change. */
  open(file: string): Outcome<OpenModel> {
    return this.host.engine.model(file);
  }

  /** The model's header as last read. */
  header(file: string): Outcome<AnalysisReport> {
    return this.entry(file).header;
  }

  /**
   * Everything known of a model, from memory; the first call reads its header.
   * @param recipe what findings are judged by; default: the recipe beside the model, if there is one.
   */
  model(file: string, recipe: PlacedRecipe | undefined = this.recipeBeside(file)): ModelState {
    const entry = this.entry(file);
    const report = this.host.engine.report(file) ?? entry.header.value;
    return {
      path: file,
      uri: uriOf(file),
      state: stateOf(entry),
      report,
      recipe: recipe?.parsed,
      recipeUri: recipe?.uri,
      findings: report ? this.findings(file, entry, report, recipe?.parsed) : [],
      problems: [...(entry.header.value ? [] : entry.header.issues), ...entry.failure],
      figures: (layer) => this.host.engine.weightFigures(file, layer),
    };
  }

  /** Makes in steps what {@link model} would take a moment for. */
  async prepare(file: string): Promise<void> {
    const entry = this.entry(file);
    const report = this.host.engine.report(file) ?? entry.header.value;
    const recipe = this.recipeBeside(file)?.parsed;
    const known = report && this.findingsHeld.get(report)?.some((one) => one.recipe === recipe);
    if (report && !known) await this.find(entry, report, recipe);
  }

  /** What the editor surfaces show. */
  view(file: string): ModelView {
    const { uri, state, report, recipe, recipeUri, problems, findings } = this.model(file);
    return modelView({
      findings,
      uri,
      name: path.basename(file),
      state,
      trusted: this.host.trusted(),
      report,
      recipe: recipe?.recipe,
      recipeUri,
      severities: this.host.settings().severity,
      thresholds: this.host.settings().thresholds,
      problems,
    });
  }

  /** Starts the weight analysis of a model unless it ran, runs, or the file is larger than the setting allows. */
  analyze(file: string, force = false): void {
    const entry = this.entry(file);
    const { header, weights } = entry;
    if (!header.value || !entry.readable || weights === 'running' || weights === 'done') return;
    if (weights === 'failed' && !force) return;
    if (!force && header.value.model.bytes > this.host.settings().analyzeOnOpen * 1e6) {
      entry.weights = 'too-large';
      return;
    }
    entry.weights = 'running';
    entry.failure = [];
    void this.runWeights(file, entry);
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

  /** A document was closed: its versions count anew when it is opened again. */
  forget(uri: string): void {
    this.recipes.delete(uri);
  }

  /** Tells that a file changed on disk or a recipe in an editor. */
  changed(file: string): void {
    if (file.endsWith('.quant.json')) {
      for (const model of this.entries.keys()) if (recipePathOf(model) === file) this.onChanged(model);
      return;
    }
    // The file may be the external data of any model.
    for (const [model, entry] of [...this.entries]) {
      if (entry.stamp === this.stampText(model)) continue;
      entry.life.abort();
      this.entries.delete(model);
      // Whoever watches the old numbers wants the new ones.
      if (wasMeasured(entry)) this.analyze(model);
      this.onChanged(model);
    }
  }

  /** Announces every known model again: settings, trust or cache changed. */
  refreshAll(): void {
    this.findingsHeld = new WeakMap();
    for (const file of this.entries.keys()) {
      this.onChanged(file);
      void this.lookAtFusion(file);
    }
  }

  /** Forgets results; what was measured is measured anew. */
  clear(): void {
    const known = [...this.entries];
    for (const [, entry] of known) entry.life.abort();
    this.entries.clear();
    for (const [file, entry] of known) {
      if (wasMeasured(entry)) this.analyze(file);
      this.onChanged(file);
    }
  }

  /**
   * A run on data begins; its reports appear everywhere while it goes on.
   * @param fresh figures of earlier runs, with other data or settings, go when the first report comes.
   */
  measuring(file: string, fresh: boolean): MeasuringRun {
    const { engine } = this.host;
    const entry = this.entry(file);
    const stamp = engine.stamp(file);
    let replaces = fresh;
    let announced = 0;
    const remember = (report: AnalysisReport) => {
      engine.remember(file, report, stamp, replaces);
      replaces = false;
      entry.measured = true;
    };
    const isCurrent = () => this.entries.get(file) === entry;
    entry.measuring++;
    this.onChanged(file);
    return {
      take: (report) => {
        if (!isCurrent() || performance.now() - announced < ANNOUNCE_INTERVAL) return;
        announced = performance.now();
        remember(report);
        this.onChanged(file);
      },
      end: (report) => {
        if (report && isCurrent()) remember(report);
        void this.whenFound(file, entry, () => {
          entry.measuring--;
        });
      },
    };
  }

  private entry(file: string): Entry {
    const stamp = this.stampText(file);
    const held = this.entries.get(file);
    if (held?.stamp === stamp) return held;
    held?.life.abort();
    const header = this.host.engine.inspect(file);
    const known = this.host.engine.report(file)?.layers ?? [];
    const entry: Entry = {
      stamp,
      header,
      readable: header.value !== undefined && !hasErrors(header.issues),
      life: new AbortController(),
      failure: [],
      weights: known.some((layer) => layer.weightSqnr) ? 'done' : 'none',
      measured: known.some((layer) => layer.local ?? layer.cumulative ?? layer.outputEffect),
      measuring: 0,
    };
    this.entries.set(file, entry);
    const external = this.host.engine.externalFiles(file);
    if (external.length > 0) this.host.reads(external);
    // Asked before the watcher told: whoever has shown the old file must hear of the new one all the same.
    if (held)
      setImmediate(() => {
        if (wasMeasured(held)) this.analyze(file);
        this.onChanged(file);
      });
    return entry;
  }

  private async runWeights(file: string, entry: Entry): Promise<void> {
    const { engine } = this.host;
    const { signal } = entry.life;
    let announced = 0;
    this.onChanged(file);
    const progress = this.host.progress(path.basename(file));
    const outcome = await engine.weights(file, this.common(), {
      signal,
      progress: progress.report,
      partial: () => {
        if (performance.now() - announced < ANNOUNCE_INTERVAL) return;
        announced = performance.now();
        this.onChanged(file);
      },
    });
    progress.end();
    const end = () => {
      entry.weights = outcome.value ? 'done' : 'failed';
    };
    // The file changed meanwhile: another entry stands in its place and has its own run.
    if (this.entries.get(file) !== entry) {
      end();
      return;
    }
    if (!outcome.value) {
      entry.failure = outcome.issues;
      this.host.log(`weights of ${file}: ${outcome.issues.map((one) => one.code).join(', ')}`);
    }
    await this.whenFound(file, entry, end);
    // Hovers and tables show it once it is there; nobody waits for it.
    if (outcome.value) await Promise.all([this.lookAtFusion(file), engine.grid(file, this.common(), signal)]);
  }

  /** Which layers of a quantized file onnxruntime runs in integers: behind everything else, and in trust only. */
  private async lookAtFusion(file: string): Promise<void> {
    const { engine } = this.host;
    const entry = this.entry(file);
    const report = engine.report(file);
    if (!this.trusted || entry.weights !== 'done' || !report) return;
    if (!report.layers.some(({ quantized }) => quantized && quantized.fused === undefined)) return;
    if (report.quantization?.conversions !== undefined) return;
    const job = { kind: 'debug', model: file, ...this.common() } as const;
    const end = await engine.debug(job, { signal: entry.life.signal }, true);
    if (this.entries.get(file) !== entry) return;
    if (!end.value) {
      this.host.log(`graph of ${file} as it runs: ${end.issues.map((one) => one.code).join(', ')}`);
      return;
    }
    engine.remember(file, end.value);
    this.onChanged(file);
  }

  /** State of the model's file and of the external data it reads. */
  stamp(file: string): FileStamp | undefined {
    return this.host.engine.stamp(file);
  }

  private stampText(file: string): string {
    return JSON.stringify(this.stamp(file) ?? null);
  }

  private recipeBeside(file: string): PlacedRecipe | undefined {
    const recipeFile = recipePathOf(file);
    const uri = uriOf(recipeFile);
    const parsed = this.recipe(uri, recipeFile);
    return parsed && { uri, parsed };
  }

  /**
   * Findings of a report. While figures of a large model arrive, those of an earlier report: making them anew for every
   * handful of figures would keep whoever asks waiting, so that is done in between.
   */
  private findings(
    file: string,
    entry: Entry,
    report: AnalysisReport,
    recipe: ParsedRecipe | undefined,
  ): readonly Issue[] {
    const known = this.findingsHeld.get(report)?.find((one) => one.recipe === recipe);
    if (known) return known.list;
    const { found } = entry;
    if (found && found.recipe === recipe && isRunning(entry) && isLarge(report)) {
      entry.finding ??= this.find(entry, report, recipe).then(() => this.onChanged(file));
      return found.list;
    }
    const { severity, thresholds } = this.host.settings();
    return this.hold(entry, report, recipe, findingsOf(report, recipe?.recipe, severity, thresholds));
  }

  /** Makes the findings of a report a few rules at a time. Never rejects: a report without them is still a report. */
  private async find(entry: Entry, report: AnalysisReport, recipe: ParsedRecipe | undefined): Promise<void> {
    const { severity, thresholds } = this.host.settings();
    try {
      const steps = findingsOfInSteps(report, recipe?.recipe, severity, thresholds);
      this.hold(entry, report, recipe, await inTurns(steps, FINDING_SLICE));
    } catch (error) {
      this.host.log(`findings: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      entry.finding = undefined;
    }
  }

  /** Ends a run once the findings on its last report are made, and tells. */
  private async whenFound(file: string, entry: Entry, end: () => void): Promise<void> {
    const report = this.host.engine.report(file);
    if (report && isLarge(report)) {
      await entry.finding;
      await this.find(entry, report, this.recipeBeside(file)?.parsed);
    }
    end();
    this.onChanged(file);
  }

  private hold(
    entry: Entry,
    report: AnalysisReport,
    recipe: ParsedRecipe | undefined,
    found: readonly Issue[],
  ): readonly Issue[] {
    const held = this.findingsHeld.get(report) ?? [];
    const list = [...found];
    // One text view and one recipe look at a report; older versions of the recipe are of no use.
    this.findingsHeld.set(report, [{ recipe, list }, ...held.slice(0, MAX_PLANS - 1)]);
    entry.found = { recipe, list };
    return list;
  }
}

/** Layers from which on findings are made in between. */
const MANY_LAYERS = 300;

/** Rules are judged this long before others come in between, milliseconds. */
const FINDING_SLICE = 6;

function isLarge({ layers }: AnalysisReport): boolean {
  return layers.length > MANY_LAYERS;
}

function isRunning({ weights, measuring }: Entry): boolean {
  return measuring > 0 || weights === 'running';
}

/** Plans whose findings are kept per report. */
const MAX_PLANS = 4;

/** The state as the user sees it, from what runs and what is known. */
function stateOf({ readable, weights, measured, measuring }: Entry): AnalysisState {
  if (!readable) return 'failed';
  if (measuring > 0) return 'measuring';
  if (weights === 'running') return 'weights-running';
  if (measured) return 'measured';
  if (weights === 'none') return 'header';
  return weights === 'done' ? 'weights' : weights;
}

function wasMeasured({ readable, weights, measured }: Entry): boolean {
  return !readable || measured || (weights !== 'none' && weights !== 'too-large');
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // Deleted between the two calls: an empty recipe says what is missing.
    return '';
  }
}
