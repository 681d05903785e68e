/** The form of the calibration panel: model, data, preprocessing, estimator, scheme, samples. */
import { type CalibrationRequest, recipeScheme } from '../../../server/src/protocol/views';
import { fill, make } from '../shared/dom';
import { say } from '../shared/rpc';
import { button, type Control, dropdown, type TextField, textField } from '../shared/toolkit';
import { type FormValues, isPath, isPreprocessed, type Problems, problemsOf, requestOf } from './values';

export type { FormValues } from './values';

/** Closed lists of the contract, recommended first; texts are `estimator.NAME` and `scheme.NAME`. */
const estimators = ['mse', 'min-max', 'percentile:99.99', 'moving-average', 'lp:2.4'] as const;
const schemes = ['w8a8', 'w4a8', 'int8', 'int4'] as const;

const textFields = ['samples', 'scale', 'mean', 'std', 'resize', 'crop'] as const;
type TextFieldName = (typeof textFields)[number];

/** A form as it was left, a request as it was sent, or parts of both. */
export type StartValues = { readonly [K in keyof FormValues]?: string | number };

export interface FormOptions {
  readonly onChange: () => void;
  readonly onModel: (uri: string) => void;
  readonly onPick: (kind: 'folder' | 'file') => void;
  readonly onRun: (request: CalibrationRequest) => void;
  readonly onManageTrust: () => void;
}

export class Form {
  readonly element: HTMLElement;
  private source = 'none';
  private hasModels = false;
  private trusted = true;
  private running = false;

  private readonly model = this.list('model', () => this.options.onModel(this.model.value()));
  private readonly data = this.list('data', () => this.dataChosen());
  private readonly estimator = this.list('estimator', () => this.changed());
  private readonly scheme = this.list('scheme', () => this.changed());
  private schemes: readonly string[] = schemes;
  private readonly layout = this.list('layout', () => this.changed());
  private readonly color = this.list('color', () => this.changed());
  private readonly fields: Readonly<Record<TextFieldName, TextField>>;
  private readonly path = make('div', { class: 'path', id: 'source-path' });
  private readonly pathRow: HTMLElement;
  private readonly noData = make('div', {
    class: 'banner warning',
    id: 'no-data',
    attributes: { role: 'status' },
  });
  private readonly noModel = make('p', { id: 'no-model' }, say('noModel'));
  private readonly restricted: HTMLElement;
  private readonly preprocessing: HTMLDetailsElement;
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
    const field = (name: TextFieldName) =>
      textField({
        id: name,
        label: say(`field.${name}`),
        placeholder: name === 'samples' ? undefined : say(`placeholder.${name}`),
        onChange: () => this.changed(),
      });
    this.fields = {
      samples: field('samples'),
      scale: field('scale'),
      mean: field('mean'),
      std: field('std'),
      resize: field('resize'),
      crop: field('crop'),
    };
    this.data.setChoices(
      ['none', 'random', 'folder', 'file'].map((value) => ({ value, label: say(`data.${value}`) })),
      'none',
    );
    this.estimator.setChoices(
      estimators.map((value) => ({ value, label: value })),
      estimators[0],
    );
    this.offerRecipe(false);
    this.layout.setChoices(choices('layout', ['', 'nchw', 'nhwc']), '');
    this.color.setChoices(choices('color', ['', 'rgb', 'bgr']), '');
    this.fields.samples.setValue('32');
    const change = button({ id: 'change-data', label: say('change'), onClick: () => this.pick() });
    this.pathRow = make('div', { class: 'path-row' }, this.path, change.element);
    const manage = button({ id: 'manage-trust', label: say('manageTrust'), onClick: options.onManageTrust });
    this.restricted = make(
      'div',
      { class: 'banner warning', id: 'restricted', attributes: { role: 'alert' } },
      say('restricted'),
      manage.element,
    );
    const { scale, mean, std, resize, crop } = this.fields;
    this.preprocessing = make(
      'details',
      { id: 'preprocessing' },
      make('summary', {}, say('preprocessing')),
      make('p', { class: 'help quiet' }, say('preprocessingHelp')),
      ...[scale, mean, std, resize, crop].map(({ element }) => element),
      labelled('layout', this.layout),
      labelled('color', this.color),
    );
    const form = make(
      'form',
      { id: 'form', attributes: { 'aria-label': say('title') } },
      labelled('model', this.model),
      labelled('data', this.data),
      this.pathRow,
      this.noData,
      this.preprocessing,
      this.fields.samples.element,
      labelled('estimator', this.estimator),
      this.estimatorHelp,
      labelled('scheme', this.scheme),
      this.schemeHelp,
    );
    this.settings = make('details', { id: 'settings' }, this.settingsTitle, form);
    this.settings.open = true;
    this.element = make('section', {}, this.restricted, this.noModel, this.settings);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.id in this.fields)
        this.run();
    });
    this.show();
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

  /** The folder or file that the user picked. */
  setSource(source: string): void {
    this.source = source;
    this.changed();
  }

  /** The settings make room for the figures while it runs; they come back when it failed. */
  setRunning(running: boolean, failed = false): void {
    this.running = running;
    this.settings.open = failed;
    this.show();
  }

  /** The button that runs it; the page places it where it stays in sight. */
  get action(): HTMLElement {
    return this.runButton.element;
  }

  values(): FormValues {
    const { samples, scale, mean, std, resize, crop } = this.fields;
    return {
      modelUri: this.model.value(),
      source: this.source,
      scheme: this.scheme.value(),
      estimator: this.estimator.value(),
      samples: samples.value(),
      scale: scale.value(),
      mean: mean.value(),
      std: std.value(),
      resize: resize.value(),
      crop: crop.value(),
      layout: this.layout.value(),
      color: this.color.value(),
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
    this.source = String(values.source ?? 'none');
    const kind = isPath(this.source) ? (/\.np[yz]$/i.test(this.source) ? 'file' : 'folder') : this.source;
    this.data.choose(kind);
    for (const name of textFields)
      this.fields[name].setValue(String(values[name] ?? (name === 'samples' ? '32' : '')));
    this.estimator.choose(known(estimators, values.estimator));
    this.scheme.choose(known(this.schemes, values.scheme ?? schemes[0]));
    this.layout.choose(String(values.layout ?? ''));
    this.color.choose(String(values.color ?? ''));
  }

  private dataChosen(): void {
    const kind = this.data.value();
    this.source = kind === 'none' || kind === 'random' ? kind : '';
    this.changed();
    if (this.source === '') this.pick();
  }

  private pick(): void {
    this.options.onPick(this.data.value() === 'file' ? 'file' : 'folder');
  }

  private changed(): void {
    this.show();
    this.options.onChange();
  }

  private run(): void {
    const values = this.values();
    const problems = problemsOf(values);
    this.showProblems(problems);
    if (Object.keys(problems).length > 0) {
      if (problems.source === undefined && problems.samples === undefined) this.preprocessing.open = true;
      return;
    }
    if (!this.running && this.hasModels) this.options.onRun(requestOf(values));
  }

  /** Shows what fits the values: texts, fields, problems, and whether it can run. */
  private show(): void {
    const hasPath = isPath(this.source);
    this.restricted.hidden = this.trusted;
    this.noModel.hidden = this.hasModels;
    this.pathRow.hidden = !hasPath;
    // The row reads from right to left so that the end of a long path stays in sight; <bdi> keeps its order.
    fill(this.path, make('bdi', {}, this.source === '' ? say('nothingChosen') : this.source));
    this.path.title = this.source;
    this.noData.hidden = hasPath;
    this.noData.textContent = hasPath ? '' : say(`noData.${this.source}`);
    this.preprocessing.hidden = !isPreprocessed(this.source);
    this.estimatorHelp.textContent = say(`estimator.${this.estimator.value()}`);
    this.schemeHelp.textContent = say(`scheme.${this.scheme.value()}`);
    const controls: readonly Control[] = [
      this.model,
      this.data,
      this.estimator,
      this.scheme,
      this.layout,
      this.color,
    ];
    for (const control of [...controls, ...Object.values(this.fields)]) control.setEnabled(!this.running);
    this.runButton.setEnabled(!this.running && this.trusted && this.hasModels && this.source !== '');
    this.runButton.element.hidden = this.running;
    const { scheme, estimator, samples } = this.values();
    // Without data the engine itself says on how many samples it measures.
    const noSamples = this.source === 'none';
    this.fields.samples.element.hidden = noSamples;
    this.settingsTitle.textContent = noSamples
      ? say('settingsNoData', scheme, estimator)
      : say('settings', scheme, estimator, samples);
    this.showProblems(problemsOf(this.values()));
  }

  private showProblems(problems: Problems): void {
    for (const name of textFields) {
      const problem = problems[name];
      this.fields[name].setProblem(problem && say(`problem.${problem}`));
    }
  }

  private list(id: string, onChange: () => void) {
    return dropdown({ id, label: say(`field.${id}`), onChange });
  }
}

function labelled(name: string, control: Control): HTMLElement {
  // The component is not a form element of its own, a <label for> would not reach it: it carries aria-label.
  const label = make('div', { class: 'label', attributes: { 'aria-hidden': 'true' } }, say(`field.${name}`));
  return make('div', { class: 'field' }, label, control.element);
}

function choices(name: string, values: readonly string[]) {
  return values.map((value) => ({
    value,
    label: say(`choice.${name}.${value === '' ? 'automatic' : value}`),
  }));
}

/** A value of a list, or the list's first. */
function known(list: readonly string[], value: string | number | undefined): string {
  return list.find((one) => one === value) ?? list[0] ?? '';
}
