/** Fields for the sizes of a model's free dimensions. */
import { isWholeNumber } from '../shared/data-values';
import { fill, make } from '../shared/dom';
import { say } from '../shared/rpc';
import { type TextField, textField } from '../shared/toolkit';

export class DimensionFields {
  readonly element = make('details', { id: 'dimensions' });
  private fields = new Map<string, TextField>();

  constructor(private readonly onChange: () => void) {
    this.element.open = true;
    this.element.hidden = true;
  }

  /** Which dimensions there are; sizes of those that stay are kept. */
  setNames(names: readonly string[]): void {
    if (names.join('\n') === [...this.fields.keys()].join('\n')) return;
    const before = this.values();
    this.fields = new Map(names.map((name) => [name, this.field(name)]));
    this.fillIn(before);
    this.element.hidden = names.length === 0;
    fill(
      this.element,
      make('summary', {}, say('dimensions')),
      make('p', { class: 'help quiet' }, say('dimensionsHelp')),
      ...[...this.fields.values()].map(({ element }) => element),
    );
  }

  /** As typed, by name. */
  values(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.fields].map(([name, field]) => [name, field.value()]));
  }

  fillIn(values: Readonly<Record<string, string | number>>): void {
    for (const [name, field] of this.fields) field.setValue(String(values[name] ?? ''));
  }

  setEnabled(enabled: boolean): void {
    for (const field of this.fields.values()) field.setEnabled(enabled);
  }

  /** Shows what is wrong, where it is; true when nothing is. */
  check(): boolean {
    let isRight = true;
    for (const field of this.fields.values()) {
      const text = field.value().trim();
      const isWrong = text !== '' && !isWholeNumber(text);
      field.setProblem(isWrong ? say('problem.wholeNumber') : undefined);
      isRight &&= !isWrong;
    }
    if (!isRight) this.element.open = true;
    return isRight;
  }

  /** True for the id of one of the lines: Enter in it sends the form off. */
  isLine(id: string): boolean {
    return [...this.fields.keys()].some((name) => idOf(name) === id);
  }

  private field(name: string): TextField {
    return textField({
      id: idOf(name),
      label: name,
      placeholder: '16',
      onChange: () => {
        this.check();
        this.onChange();
      },
    });
  }
}

function idOf(name: string): string {
  return `dimension-${name}`;
}
