/** The form of the calibration panel: model, data, preprocessing, estimator, scheme, samples. */
import {
  type CalibrationPrefill,
  type CalibrationRequest,
  type InputQuestions,
  recipeScheme,
} from '../../../server/src/protocol/views';
import { DataFields, labelled, listOf } from '../shared/data-fields';
import { fill, make } from '../shared/dom';
import { say } from '../shared/rpc';
import { button } from '../shared/toolkit';
import { DimensionFields } from './dimension-fields';
import { type FormValues, requestOf } from './values';

export type { FormValues } from './values';

/** Closed lists of the contract, recommended first; texts are `estimator.NAME` and `scheme.NAME`. */
const estimators = ['mse', 'min-max', 'percentile:99.99', 'moving-average', 'lp:2.4'] as const;
const schemes = ['w8a8', 'w4a8', 'int8', 'int4'] as const;

/** A form as it was left, a request as it was sent, or parts of both. */
export type StartValues = { readonly [K in Exclude<keyof FormValues, 'dimensions'>]?: string | number } & {
  readonly dimensions?: Readonly<Record<string, string | number>>;
};

export interface FormOptions {
  readonly onChange: () => void;
  readonly onModel: (uri: string) => void;
  readonly onPick: (kind: 'folder' | 'file') => void;
  readonly onRun: (request: CalibrationRequest) => void;
  readonly onManageTrust: () => void;
}

export class Form {
  readonly element: HTMLElement;
  private hasModels = false;
  private trusted = true;
  private running = false;
  private isQuantized = false;

  private readonly model = listOf('model', () => this.options.onModel(this.model.value()));
  private readonly estimator = listOf('estimator', () => this.changed());
  private readonly scheme = listOf('scheme', () => this.changed());
  private schemes: readonly string[] = schemes;
  private readonly data: DataFields;
  private readonly dimensions = new DimensionFields(() => this.changed());
  /** What a script filled in, and what it could not tell. */
  private readonly origin = make('div', { class: 'banner', id: 'origin', attributes: { role: 'status' } });
  private readonly noModel = make('p', { id: 'no-model' }, say('noModel'));
  private readonly quantized = make(
    'div',
    { class: 'banner', id: 'quantized-already', attributes: { role: 'status' } },
    say('quantizedAlready'),
  );
  private readonly restricted: HTMLElement;
  private readonly estimatorHelp = make('div', { class: 'help quiet' });
  private readonly schemeHelp = make('div', { class: 'help quiet' });
  private readonly settings: HTMLDetailsElement;
  private readonly settingsTitle = make('summary');
  private readonly runButton = button({
    id: 'run',
    label: say('run'),
    primary: true,
    onClick: () => this.run(),
  });

  constructor(private readonly options: FormOptions) {
    this.data = new DataFields({
      samples: '32',
      onChange: () => this.changed(),
      onPick: options.onPick,
    });
    this.estimator.setChoices(
      estimators.map((value) => ({ value, label: value })),
      estimators[0],
    );
    this.offerRecipe(false);
    const manage = button({ id: 'manage-trust', label: say('manageTrust'), onClick: options.onManageTrust });
    this.restricted = make(
      'div',
      { class: 'banner warning', id: 'restricted', attributes: { role: 'alert' } },
      say('restricted'),
      manage.element,
    );
    const form = make(
      'form',
      { id: 'form', class: 'form', attributes: { 'aria-label': say('title') } },
      labelled('model', this.model),
      ...this.data.elements,
      this.dimensions.element,
      labelled('estimator', this.estimator),
      this.estimatorHelp,
      labelled('scheme', this.scheme),
      this.schemeHelp,
    );
    this.settings = make('details', { id: 'settings' }, this.settingsTitle, form);
    this.settings.open = true;
    this.origin.hidden = true;
    this.element = make(
      'section',
      {},
      this.restricted,
      this.noModel,
      this.quantized,
      this.origin,
      this.settings,
    );
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target instanceof HTMLElement && this.isLine(event.target.id))
        this.run();
    });
    this.show();
  }

  /** What the model wants to be fed: its free dimensions, whether that can be made of pictures, and if it is to be fed at all. */
  setInputs(
    { dimensions, areIndices }: InputQuestions = { dimensions: [], areIndices: false },
    isQuantized = false,
  ): void {
    this.isQuantized = isQuantized;
    this.dimensions.setNames(dimensions);
    this.data.setPictures(!areIndices);
  }

  /** The models to choose from, and the values to start with. */
  setModels(
    models: readonly { readonly uri: string; readonly name: string }[],
    selected: string | null,
    trusted: boolean,
    values: StartValues,
  ): void {
    this.trusted = trusted;
    this.hasModels = models.length > 0;
    this.model.setChoices(
      models.map(({ uri, name }) => ({ value: uri, label: name })),
      selected ?? '',
    );
    if (!this.running) this.fillIn(values);
    this.show();
  }

  /** Says where the values come from; nothing without a script. */
  showOrigin(prefill: CalibrationPrefill | undefined): void {
    this.origin.hidden = prefill === undefined;
    if (!prefill) return;
    const notes = prefill.notes.map((note) => make('li', {}, note));
    fill(
      this.origin,
      make('p', {}, say('filledFrom', prefill.from)),
      notes.length > 0 && make('ul', {}, ...notes),
    );
  }

  /** The folder or file that the user picked. */
  setSource(source: string): void {
    this.data.setSource(source);
  }

  /** The settings make room for the figures while it runs; they come back when it failed. */
  setRunning(running: boolean, failed = false): void {
    this.running = running;
    this.settings.open = failed;
    this.show();
  }

  /** Another model was chosen: what was asked of the one before makes room. */
  openSettings(): void {
    this.settings.open = true;
    this.element.scrollIntoView({ block: 'start' });
  }

  /** The button that runs it; the page places it where it stays in sight. */
  get action(): HTMLElement {
    return this.runButton.element;
  }

  values(): FormValues {
    return {
      ...this.data.values(),
      modelUri: this.model.value(),
      scheme: this.scheme.value(),
      estimator: this.estimator.value(),
      dimensions: this.dimensions.values(),
    };
  }

  /** Where a recipe lies beside the model, its plan can be measured: the first scheme then. */
  offerRecipe(hasRecipe: boolean): void {
    const chosen = this.scheme.value();
    this.schemes = hasRecipe ? [recipeScheme, ...schemes] : schemes;
    this.scheme.setChoices(
      this.schemes.map((value) => ({ value, label: value === recipeScheme ? say('asRecipe') : value })),
      known(this.schemes, chosen === '' ? schemes[0] : chosen),
    );
  }

  private fillIn(values: StartValues): void {
    const { dimensions, ...data } = values;
    this.data.fillIn(data);
    this.dimensions.fillIn(dimensions ?? {});
    this.estimator.choose(known(estimators, values.estimator));
    this.scheme.choose(known(this.schemes, values.scheme ?? schemes[0]));
  }

  private isLine(id: string): boolean {
    return this.data.isLine(id) || this.dimensions.isLine(id);
  }

  private changed(): void {
    this.show();
    this.options.onChange();
  }

  private run(): void {
    if (!this.data.check() || !this.dimensions.check()) return;
    if (!this.running && this.hasModels && !this.isQuantized) this.options.onRun(requestOf(this.values()));
  }

  /** Shows what fits the values: texts, fields, and whether it can run. */
  private show(): void {
    const { scheme, estimator, samples, source } = this.values();
    this.restricted.hidden = this.trusted;
    this.noModel.hidden = this.hasModels;
    this.quantized.hidden = !this.isQuantized;
    this.estimatorHelp.textContent = say(`estimator.${estimator}`);
    this.schemeHelp.textContent = say(`scheme.${scheme}`);
    for (const part of [this.model, this.data, this.dimensions, this.estimator, this.scheme])
      part.setEnabled(!this.running);
    const isReady = this.trusted && this.hasModels && !this.isQuantized && source !== '';
    this.runButton.setEnabled(!this.running && isReady);
    this.runButton.element.hidden = this.running;
    this.settingsTitle.textContent =
      source === 'none'
        ? say('settingsNoData', scheme, estimator)
        : say('settings', scheme, estimator, samples);
  }
}

/** A value of a list, or the list's first. */
function known(list: readonly string[], value: string | number | undefined): string {
  return list.find((one) => one === value) ?? list[0] ?? '';
}
