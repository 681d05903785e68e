/** A calibration while it runs and after: progress in real units, figures by layer, the result and what comes next. */
import type { CopyMessage } from '../../../server/src/protocol/panel';
import type { Progress } from '../../../server/src/protocol/progress';
import {
  type CalibrationRequest,
  type CalibrationResult,
  type QuantizeResult,
  recipeScheme,
} from '../../../server/src/protocol/views';
import { Announcer } from '../shared/announcer';
import { copyMenu, copyTable } from '../shared/copy-menu';
import { isPath } from '../shared/data-values';
import { type Child, fill, make } from '../shared/dom';
import { figure, judged, percent, verdictOf } from '../shared/figures';
import { Notice } from '../shared/notice';
import { say } from '../shared/rpc';
import { type Column, Table } from '../shared/table';
import { button } from '../shared/toolkit';

/** Height in pixels up to which the panel scrolls as a whole; the style sheet says the same. */
const lowPanel = 480;

type Layer = CalibrationResult['layers'][number];

export interface RunOptions {
  readonly onCancel: () => void;
  readonly onQuantize: (scheme: string) => void;
  readonly onReveal: (layer: string) => void;
  readonly onCopy: (message: CopyMessage) => void;
}

export class Run {
  /** Result and figures. */
  readonly element: HTMLElement;
  /** Progress and Cancel; the page places it where it stays in sight. */
  readonly live: HTMLElement;
  private scheme = '';
  private model = '';
  private modelUri: string | undefined;
  /** The ranges come from no real input, which the result must say. */
  private noData = false;
  private readonly bar = make('progress', {
    id: 'progress-bar',
    attributes: { 'aria-label': say('progress') },
  });
  private readonly status = make('div', { id: 'progress-text' });
  private readonly announcer = new Announcer();
  private readonly result = make('section', { id: 'result', attributes: { 'aria-live': 'polite' } });
  private readonly cancel = button({ id: 'cancel', label: say('cancel'), onClick: () => this.cancelNow() });
  private readonly notice = new Notice();
  private readonly copy: HTMLElement;
  private readonly table: Table<Layer>;

  constructor(private readonly options: RunOptions) {
    this.table = new Table<Layer>({
      id: 'measured',
      label: say('measured'),
      key: ({ name }) => name,
      onActivate: ({ name }) => options.onReveal(name),
      onSorted: () => undefined,
      onCopy: () => {
        this.notice.say(copyTable(this.table, 'csv', options.onCopy));
      },
    });
    this.copy = copyMenu(this.table, options.onCopy, this.notice);
    this.copy.hidden = true;
    this.live = make('div', { id: 'live' }, this.bar, this.status, this.cancel.element);
    this.live.hidden = true;
    this.result.hidden = true;
    this.table.element.hidden = true;
    this.element = make(
      'div',
      { id: 'run-state' },
      this.announcer.element,
      this.result,
      this.copy,
      this.table.element,
    );
  }

  start({ modelUri, scheme, source }: CalibrationRequest): void {
    this.scheme = scheme;
    this.noData = !isPath(source);
    this.modelUri = modelUri;
    this.element.hidden = false;
    this.model = decodeURIComponent(modelUri.slice(modelUri.lastIndexOf('/') + 1));
    this.live.hidden = false;
    this.result.hidden = true;
    this.table.element.hidden = true;
    this.copy.hidden = true;
    this.bar.removeAttribute('value');
    this.status.textContent = say('starting');
    this.announcer.end();
    this.announcer.begin();
    this.cancel.setEnabled(true);
    this.cancel.setLabel(say('cancel'));
  }

  progress(progress: Progress, layers: readonly Layer[] | undefined): void {
    const { stage, done, total, unit, detail } = progress;
    this.announcer.progress(progress);
    if (total > 0) {
      this.bar.max = total;
      this.bar.value = done;
    } else this.bar.removeAttribute('value');
    const amount = total > 0 ? `${done}/${total}` : String(done);
    const text = `${say(`stage.${stage}`)}: ${amount} ${say(`unit.${unit}`)}`;
    this.status.textContent = detail === undefined ? text : `${text} · ${detail}`;
    if (layers) this.showLayers(layers);
  }

  finish(result: CalibrationResult): void {
    // The result is read aloud.
    this.announcer.end();
    this.live.hidden = true;
    this.result.hidden = false;
    fill(this.result, ...this.summary(result));
    if (result.layers.length > 0) this.showLayers(result.layers);
    // The form is open again above it; in a low panel the result starts where the eye is.
    if (result.state === 'failed') this.result.scrollIntoView({ block: 'nearest' });
    else if (window.innerHeight <= lowPanel) this.result.scrollIntoView({ block: 'start' });
  }

  /** False when figures of another model are known: they are out of sight while this one is chosen. */
  fits(selected: string | null): boolean {
    if (this.modelUri === undefined || !this.live.hidden) return true;
    const fits = this.modelUri === selected;
    this.element.hidden = !fits;
    return fits;
  }

  quantized({ state, summary }: QuantizeResult): void {
    this.result.querySelector('#quantized')?.remove();
    this.result.append(make('p', { id: 'quantized', class: state }, summary));
  }

  /** Reacts at once; the best so far comes when the engine has stopped. */
  private cancelNow(): void {
    this.cancel.setEnabled(false);
    this.cancel.setLabel(say('cancelling'));
    this.status.textContent = say('cancelling');
    this.options.onCancel();
  }

  private summary(result: CalibrationResult): readonly Child[] {
    const { state, samples, seconds, output, problems } = result;
    const quantize = button({
      id: 'quantize',
      label: this.scheme === recipeScheme ? say('quantizeAsRecipe') : say('quantize', this.scheme),
      primary: true,
      onClick: () => this.options.onQuantize(this.scheme),
    });
    const nothing = state === 'cancelled' && samples === 0;
    return [
      make('h2', {}, say(nothing ? 'result.cancelledEarly' : `result.${state}`)),
      state !== 'failed' &&
        !nothing &&
        make('p', {}, say('resultSamples', samples, seconds.toFixed(1), this.model)),
      output &&
        make(
          'p',
          { id: 'output' },
          `${say('resultOutput')} `,
          judged(output.sqnr),
          output.topOneAgreement !== null && say('resultAgreement', percent(output.topOneAgreement)),
        ),
      ...(state === 'cancelled' && !nothing ? bestSoFar(result) : []),
      this.noData &&
        make('div', { class: 'banner warning', attributes: { role: 'alert' } }, say('resultNoData')),
      ...problems.map((text) =>
        make(
          'div',
          { class: `banner ${state === 'failed' ? 'error' : 'warning'}`, attributes: { role: 'alert' } },
          text,
        ),
      ),
      result.rangesPath !== undefined && quantize.element,
    ];
  }

  private showLayers(layers: readonly Layer[]): void {
    this.table.element.hidden = false;
    this.copy.hidden = false;
    this.table.setContent(this.columns(), layers);
  }

  private columns(): readonly Column<Layer>[] {
    const name: Column<Layer> = {
      id: 'name',
      label: say('column.layer'),
      class: 'name',
      sortValue: (layer) => layer.name,
      render: (layer) => [
        make(
          'button',
          {
            class: 'link',
            title: layer.name,
            attributes: { type: 'button', tabindex: '-1' },
            onClick: () => this.options.onReveal(layer.name),
          },
          layer.name,
        ),
      ],
    };
    return [name, this.errorColumn('local'), this.errorColumn('cumulative')];
  }

  private errorColumn(effect: 'local' | 'cumulative'): Column<Layer> {
    const title = say(`effect.${effect}`, this.scheme);
    return {
      id: effect,
      label: say(`column.${effect}`),
      title,
      class: `number-column ${effect}`,
      sortValue: (layer) => layer[effect],
      render: (layer) => {
        const db = layer[effect];
        return figure({ db, verdict: verdictOf(db) }, db === null ? say('notMeasured') : title);
      },
      copy: [{ label: `${this.scheme} ${say(`column.${effect}`)} (dB)`, value: (layer) => layer[effect] }],
    };
  }
}

/** The figure of a run that was cancelled: its worst layer until then; before any was measured, that there is none. */
function bestSoFar({ layers }: CalibrationResult): readonly Child[] {
  const known = layers.flatMap(({ name, local, cumulative }) => {
    const db = cumulative ?? local;
    return db === null ? [] : [{ name, db }];
  });
  const [first] = known;
  if (!first) return [make('p', { id: 'unmeasured' }, say('resultUnmeasured'))];
  const worst = known.reduce((low, one) => (one.db < low.db ? one : low), first);
  return [
    make(
      'p',
      { id: 'best-so-far' },
      `${say('resultWorst', worst.name)} `,
      judged(worst.db),
      ` · ${say('resultMeasured', known.length)}`,
    ),
  ];
}
