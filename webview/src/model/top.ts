/** The top of the model's page: facts, what the numbers stand on, buttons, and banners for what is missing. */
import type { FromModelPanel, RunNotice } from '../../../server/src/protocol/panel';
import type { DataReport } from '../../../server/src/protocol/reports';
import { isQuantizedAlready, type ModelView } from '../../../server/src/protocol/views';
import { type Child, make, spoken } from '../shared/dom';
import { shortBytes } from '../shared/figures';
import { say } from '../shared/rpc';
import { type ButtonOptions, button, progressRing } from '../shared/toolkit';

type Post = (message: FromModelPanel) => void;

/** Only ONNX models can be shown as text, run and rewritten. */
export function isOnnx(view: Pick<ModelView, 'name'>): boolean {
  return view.name.toLowerCase().endsWith('.onnx');
}

export function topFacts(view: ModelView): HTMLElement {
  const facts = view.facts.map(({ label, value, detail }) =>
    make('div', { class: 'fact', title: detail }, make('dt', {}, label), make('dd', {}, value)),
  );
  return make('dl', { id: 'facts' }, ...facts, ...planned(view));
}

/** What a recipe plans, and what data the numbers stand on. */
function planned(view: ModelView): readonly Child[] {
  const fact = (label: string, title: string, ...value: readonly Child[]) =>
    make('div', { class: 'fact', title }, make('dt', {}, label), make('dd', {}, ...value));
  return [
    view.plannedBytes !== undefined &&
      fact(say('planned'), say('plannedTitle', shortBytes(view.bytes)), `≈ ${shortBytes(view.plannedBytes)}`),
    view.data !== null && fact(say('data'), view.data.source, dataText(view.data)),
  ];
}

/** `train128_x.npy, 128 samples`; what stands for missing data is told by the banner. */
function dataText({ source, samples }: DataReport): string {
  return source === 'none' ? say('noDataValue', samples) : say('dataValue', baseName(source), samples);
}

function baseName(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== '') ?? path;
}

/** Buttons. What is off at present says why, when pointed at and when clicked; what makes no sense is left out. */
export function toolbar(view: ModelView, post: Post, tell: (reason: string) => void): HTMLElement {
  const readable = view.state !== 'failed';
  const onnx = isOnnx(view) && readable;
  const floats = readable && !hasNoFloatWeights(view);
  /** Runs the model: off without a graph and in Restricted Mode. */
  const running = (options: Omit<ButtonOptions, 'reason'>) => {
    if (!isOnnx(view)) {
      const reason = say('noGraph');
      return button({ ...options, reason, onClick: () => tell(reason) });
    }
    // The host answers with the reason and with the way out of it.
    return button({ ...options, reason: view.trusted ? undefined : say('needsTrust') });
  };
  const all = [
    floats &&
      running({
        id: 'calibrate',
        label: say('calibrate'),
        title: say('calibrateTitle'),
        primary: true,
        onClick: () => post({ type: 'calibrate' }),
      }),
    floats &&
      running({
        id: 'quantize-int8',
        label: say('quantizeInt8'),
        title: say('quantizeInt8Title'),
        onClick: () => post({ type: 'quantize', scheme: 'w8a8' }),
      }),
    floats &&
      running({
        id: 'quantize-int4',
        label: say('quantizeInt4'),
        title: say('quantizeInt4Title'),
        onClick: () => post({ type: 'quantize', scheme: 'int4' }),
      }),
    floats &&
      running({
        id: 'output-effect',
        label: say('outputEffect'),
        title: say('outputEffectTitle'),
        onClick: () => post({ type: 'output-effect' }),
      }),
    onnx &&
      running({
        id: 'compare',
        label: say('compare'),
        title: say('compareTitle'),
        primary: !floats,
        onClick: () => post({ type: 'compare' }),
      }),
    onnx &&
      button({ id: 'open-as-text', label: say('openAsText'), onClick: () => post({ type: 'open-as-text' }) }),
    onnx &&
      (floats || view.columns.length > 0) &&
      button({
        id: 'open-recipe',
        label: say(view.recipeUri === undefined ? 'createRecipe' : 'openRecipe'),
        onClick: () => post({ type: 'open-recipe' }),
      }),
  ];
  const elements = all.map((one) => (one === false ? undefined : one.element));
  return make(
    'div',
    { id: 'toolbar', attributes: { role: 'toolbar', 'aria-label': say('actions') } },
    ...elements,
  );
}

/** What must be known before the numbers are read; `notice` is the host's own, an error of the server. */
export function banners(view: ModelView | undefined, notice: string | null, post: Post): readonly Child[] {
  const all: Child[] = [];
  if (notice !== null) all.push(banner('error', notice));
  if (!view) return all;
  if (view.state === 'failed') all.push(banner('error', view.problems[0] ?? say('failed')));
  if (!view.trusted) {
    const trust = button({
      id: 'manage-trust',
      label: say('manageTrust'),
      onClick: () => post({ type: 'manage-trust' }),
    });
    all.push(banner('warning', say('restricted'), trust.element));
  }
  if (!isOnnx(view) && view.state !== 'failed') all.push(banner('plain', say('noGraph')));
  if (notice !== null) return all;
  if (view.state === 'weights-running') all.push(running(say('weightsRunning')));
  if (view.state === 'measuring') all.push(running(say('measuring')));
  if (isDone(view) && view.layers.length === 0) all.push(banner('plain', say('noLayers')));
  if (hasNoFloatWeights(view)) all.push(banner('plain', quantizedText(view)));
  const stored = storedBlocks(view);
  if (stored.length > 0) all.push(banner('plain', say('figuresAgainstStored', stored.join(', '))));
  if (view.state === 'header') all.push(banner('plain', say('headerOnly')));
  if (view.state === 'too-large') {
    const measure = button({
      id: 'measure',
      label: say('measure'),
      onClick: () => post({ type: 'measure' }),
    });
    all.push(banner('plain', say('tooLarge', shortBytes(view.bytes)), measure.element));
  }
  const noData = view.data && madeUp(view.data);
  if (noData) all.push(banner('warning', say(`modelData.${noData}`)));
  const others = view.state === 'failed' ? view.problems.slice(1) : view.problems;
  if (others.length > 0)
    all.push(make('ul', { id: 'problems' }, ...others.map((text) => make('li', {}, text))));
  return all;
}

/** One line on the newest run: on how much its figures stand while it runs, and after it was stopped or failed. */
export function runLine(run: RunNotice | undefined, view: ModelView | undefined): Child {
  switch (run?.state) {
    case 'running': {
      const { progress } = run;
      if (!progress || progress.total === 0) return running(say('run.started'));
      const { stage, done, total, unit } = progress;
      return running(say('run.soFar', say(`stage.${stage}`), done, total, say(`unit.${unit}`)));
    }
    case 'cancelled':
      return banner('plain', cancelledText(run, view));
    case 'failed':
      return banner('error', say('run.failed', run.problem));
    default:
      return undefined;
  }
}

/** What a run that was cancelled left, and whose figures stand beside those. */
function cancelledText(
  { layers, samples = 0 }: Extract<RunNotice, { readonly state: 'cancelled' }>,
  view: ModelView | undefined,
): string {
  const all = view?.layers ?? [];
  const known = all.filter(({ cells }) => cells.some(({ effect }) => effect !== 'weight')).length;
  const measured =
    layers > 0
      ? say('run.cancelledLayers', layers, all.length)
      : say(samples > 0 ? 'run.cancelledRanges' : 'run.cancelledNone', samples);
  const on = layers > 0 && samples > 0 ? say('run.cancelledOn', samples) : '';
  const others = known > layers ? say(layers > 0 ? 'run.othersEarlier' : 'run.allEarlier') : '';
  return [measured, on, others].filter((text) => text !== '').join(' ');
}

/** How inputs were made where no real data stands behind the figures; null when some does. */
function madeUp({ noData, source }: DataReport): string | null {
  return noData ?? (source === 'random' ? source : null);
}

/** Types of weights that are stored quantized and yet have figures: those of their dequantized values. */
function storedBlocks(view: ModelView): readonly string[] {
  const rows = view.layers.filter(({ cells }) => cells.some(({ effect }) => effect === 'weight'));
  return [...new Set(rows.flatMap(({ storedAs }) => storedAs ?? []))];
}

/** Most likely quantized already: nothing to compute or to quantize, or only what a recipe can name. */
function hasNoFloatWeights(view: ModelView): boolean {
  if (view.layers.length === 0) return false;
  return isQuantizedMostly(view) || (isDone(view) && view.columns.length === 0);
}

/** Codes in most layers; those of weight files are dequantized and have figures like others. */
export function isQuantizedMostly(view: ModelView): boolean {
  return isOnnx(view) && isQuantizedAlready(view);
}

function quantizedText({ layers, columns }: ModelView): string {
  const stored = layers.filter(({ storedAs }) => storedAs !== undefined).length;
  if (columns.length > 0) return say('quantizedMostly', layers.length, stored);
  return say(layers.some((row) => row.quantized) ? 'quantizedAlready' : 'noFloatWeights');
}

/** The weights were analysed: what has no figure now gets none. */
export function isDone({ state }: ModelView): boolean {
  return state === 'weights' || state === 'measured';
}

function banner(kind: 'plain' | 'warning' | 'error', text: string, ...more: readonly Child[]): HTMLElement {
  const role = kind === 'plain' ? 'status' : 'alert';
  const prefix = kind === 'plain' ? undefined : spoken(say(`banner.${kind}`));
  return make(
    'div',
    { class: `banner ${kind}`, attributes: { role } },
    prefix,
    make('span', {}, text),
    ...more,
  );
}

/** What runs; screen readers hear of it from the announcer, for this text changes with every tick. */
function running(text: string): HTMLElement {
  return make('div', { class: 'banner' }, progressRing(), make('span', {}, text));
}
