/** Fields that say which samples a model runs on and how pixels become inputs; for calibrations and comparisons. */
import { type DataValues, isPath, isPreprocessed, type Problems, problemsOf } from './data-values';
import { fill, make } from './dom';
import { say } from './rpc';
import { button, type Control, dropdown, type TextField, textField } from './toolkit';

const textFields = ['samples', 'scale', 'mean', 'std', 'resize', 'crop'] as const;
type TextFieldName = (typeof textFields)[number];

/** Fields as they were left, a request as it was sent, or parts of both. */
export type StartData = { readonly [K in keyof DataValues]?: string | number };

export interface DataFieldsOptions {
  /** What stands in the field of samples at first. */
  readonly samples: string;
  readonly onChange: () => void;
  readonly onPick: (kind: 'folder' | 'file') => void;
}

export class DataFields {
  /** In the order to show. */
  readonly elements: readonly HTMLElement[];
  private source = 'none';
  private enabled = true;
  private takesPictures = true;
  private readonly data = listOf('data', () => this.dataChosen());
  private readonly layout = listOf('layout', () => this.changed());
  private readonly color = listOf('color', () => this.changed());
  private readonly fields: Readonly<Record<TextFieldName, TextField>>;
  private readonly path = make('div', { class: 'path', id: 'source-path' });
  private readonly change = button({
    id: 'change-data',
    label: say('change'),
    onClick: () => this.pick(),
  });
  private readonly pathRow = make('div', { class: 'path-row' }, this.path, this.change.element);
  private readonly noData = make('div', {
    class: 'banner warning',
    id: 'no-data',
    attributes: { role: 'status' },
  });
  private readonly preprocessing: HTMLDetailsElement;

  constructor(private readonly options: DataFieldsOptions) {
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
    this.layout.setChoices(choices('layout', ['', 'nchw', 'nhwc']), '');
    this.color.setChoices(choices('color', ['', 'rgb', 'bgr']), '');
    this.fields.samples.setValue(options.samples);
    const { samples, scale, mean, std, resize, crop } = this.fields;
    this.preprocessing = make(
      'details',
      { id: 'preprocessing' },
      make('summary', {}, say('preprocessing')),
      make('p', { class: 'help quiet' }, say('preprocessingHelp')),
      ...[scale, mean, std, resize, crop].map(({ element }) => element),
      labelled('layout', this.layout),
      labelled('color', this.color),
    );
    this.elements = [
      labelled('data', this.data),
      this.pathRow,
      this.noData,
      this.preprocessing,
      samples.element,
    ];
    this.show();
  }

  values(): DataValues {
    const { samples, scale, mean, std, resize, crop } = this.fields;
    const data = { source: this.source, samples: samples.value() };
    if (!this.takesPictures)
      return { ...data, scale: '', mean: '', std: '', resize: '', crop: '', layout: '', color: '' };
    return {
      ...data,
      scale: scale.value(),
      mean: mean.value(),
      std: std.value(),
      resize: resize.value(),
      crop: crop.value(),
      layout: this.layout.value(),
      color: this.color.value(),
    };
  }

  fillIn(values: StartData): void {
    this.source = String(values.source ?? 'none');
    const kind = isPath(this.source) ? (/\.np[yz]$/i.test(this.source) ? 'file' : 'folder') : this.source;
    this.data.choose(kind);
    for (const name of textFields)
      this.fields[name].setValue(String(values[name] ?? (name === 'samples' ? this.options.samples : '')));
    this.layout.choose(String(values.layout ?? ''));
    this.color.choose(String(values.color ?? ''));
    this.show();
  }

  /** The folder or file that the user picked. */
  setSource(source: string): void {
    this.source = source;
    this.changed();
  }

  /** Preprocessing of pictures is offered only where the model takes some. */
  setPictures(takesPictures: boolean): void {
    this.takesPictures = takesPictures;
    this.show();
  }

  setEnabled(enabled: boolean): void {
    this.enabled = enabled;
    this.show();
  }

  /** True for the id of a line of text: Enter in it sends the form off. */
  isLine(id: string): boolean {
    return id in this.fields;
  }

  /** Shows what is wrong, where it is; true when nothing is. */
  check(): boolean {
    const problems = problemsOf(this.values());
    this.showProblems(problems);
    const wrong = Object.keys(problems);
    if (wrong.some((name) => name !== 'source' && name !== 'samples')) this.preprocessing.open = true;
    return wrong.length === 0;
  }

  private dataChosen(): void {
    const kind = this.data.value();
    this.source = kind === 'none' || kind === 'random' ? kind : '';
    // The field is not shown then, and nobody could see what is wrong in it.
    if (kind === 'none' && problemsOf(this.values()).samples)
      this.fields.samples.setValue(this.options.samples);
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

  private show(): void {
    const { source } = this;
    const hasPath = isPath(source);
    this.pathRow.hidden = !hasPath;
    // The row reads from right to left so that the end of a long path stays in sight; <bdi> keeps its order.
    fill(this.path, make('bdi', {}, source === '' ? say('nothingChosen') : source));
    this.path.title = source;
    this.noData.hidden = hasPath;
    this.noData.textContent = hasPath ? '' : say(`noData.${source}`);
    this.preprocessing.hidden = !this.takesPictures || !isPreprocessed(source);
    // Without data the engine itself says on how many samples it measures.
    this.fields.samples.element.hidden = source === 'none';
    const controls: readonly Control[] = [this.data, this.layout, this.color, this.change];
    for (const control of [...controls, ...Object.values(this.fields)]) control.setEnabled(this.enabled);
    this.showProblems(problemsOf(this.values()));
  }

  private showProblems(problems: Problems): void {
    for (const name of textFields) {
      const problem = problems[name];
      this.fields[name].setProblem(problem && say(`problem.${problem}`));
    }
  }
}

/** A dropdown named by the word `field.ID`. */
export function listOf(id: string, onChange: () => void) {
  return dropdown({ id, label: say(`field.${id}`), onChange });
}

/** A control below its name. */
export function labelled(name: string, control: Control): HTMLElement {
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
