/**
 * *What if*: one layer's weight in a format of the user's choice. Stays at the foot of the page while the table scrolls;
 * every change is answered on the spot, by figures that are known or by the server.
 */
import type { FromModelPanel } from '../../../server/src/protocol/panel';
import type { ErrorCell, LayerRow, ModelView, WhatIfAnswer } from '../../../server/src/protocol/views';
import { fill, make, spoken } from '../shared/dom';
import { decibels, figure, shortBytes } from '../shared/figures';
import { say } from '../shared/rpc';
import { isOnnx } from './top';
import {
  bitWidths,
  type Choice,
  choiceFrom,
  firstChoice,
  formatOf,
  formatsOf,
  granularities,
  groupSizes,
  otherFormats,
} from './what-if-choice';

export interface WhatIfOptions {
  readonly post: (message: FromModelPanel) => void;
  readonly onChoice: (choice: Choice) => void;
  /** The block was closed; the focus goes back to the layer. */
  readonly onClosed: (layer: string) => void;
}

export class WhatIfBlock {
  readonly element = make('section', { id: 'what-if', attributes: { tabindex: '-1' } });
  private readonly title = make('h2');
  private readonly subject = make('span', { class: 'quiet' });
  private readonly kind = select('what-if-kind', [
    ['integer', say('whatIf.integer')],
    ...otherFormats.map((name) => [name, name] as const),
  ]);
  private readonly bits = make('input', {
    id: 'what-if-bits',
    attributes: { type: 'range', min: '2', max: '8', step: '1' },
  });
  private readonly bitsText = make('output', { attributes: { for: 'what-if-bits' } });
  private readonly granularity = select(
    'what-if-granularity',
    granularities.map((name) => [name, say(`granularity.${name}`)] as const),
  );
  private readonly group = select(
    'what-if-group',
    groupSizes.map((size) => [String(size), String(size)] as const),
  );
  private readonly asymmetric = make('input', { id: 'what-if-asymmetric', attributes: { type: 'checkbox' } });
  private readonly result = make('div', { id: 'what-if-result', attributes: { role: 'status' } });
  private readonly widths = make('div', { id: 'what-if-widths' });
  private readonly apply = make(
    'button',
    { id: 'what-if-apply', class: 'remedy', attributes: { type: 'button' }, onClick: () => this.write() },
    say('whatIf.apply'),
  );
  private readonly reason = make('span', { id: 'what-if-reason', class: 'quiet' });
  private readonly known = new Map<string, ErrorCell>();
  private readonly refusals = new Map<string, string>();
  private problem: string | undefined;
  private choice: Choice;
  private view: ModelView | undefined;
  private layer: LayerRow | undefined;
  /** Numbers questions; answers to older ones are forgotten. */
  private asked = 0;

  constructor(
    choice: Partial<Choice> | undefined,
    private readonly options: WhatIfOptions,
  ) {
    this.choice = choiceFrom(choice ?? firstChoice);
    this.element.hidden = true;
    const close = make(
      'button',
      {
        id: 'what-if-close',
        title: say('whatIf.close'),
        attributes: { type: 'button', 'aria-label': say('whatIf.close') },
        onClick: () => this.close(),
      },
      '✕',
    );
    this.apply.setAttribute('aria-describedby', this.reason.id);
    const controls = make(
      'div',
      { class: 'controls' },
      field('what-if-kind', say('whatIf.kind'), this.kind),
      field('what-if-bits', say('whatIf.bits'), this.bits, this.bitsText),
      field('what-if-granularity', say('whatIf.granularity'), this.granularity),
      field('what-if-group', say('whatIf.group'), this.group),
      make('label', { class: 'check' }, this.asymmetric, ` ${say('whatIf.asymmetric')}`),
    );
    this.element.append(
      make('div', { class: 'head' }, this.title, this.subject, close),
      controls,
      make('div', { class: 'answer' }, this.result, this.widths, this.apply, this.reason),
    );
    for (const control of [this.kind, this.bits, this.granularity, this.group, this.asymmetric])
      control.addEventListener('input', () => this.changed());
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      this.close();
    });
  }

  /** Shows the block for a layer and moves the focus into it. */
  open(view: ModelView, layer: LayerRow): void {
    if (this.layer?.name !== layer.name) this.forget();
    this.view = view;
    this.layer = layer;
    this.element.hidden = false;
    document.body.classList.add('asks-what-if');
    const title = say('whatIf.title', layer.name);
    this.element.setAttribute('aria-label', title);
    this.title.textContent = title;
    this.subject.textContent = `${layer.op} ${layer.shape.join('×')} · ${say('whatIf.now', shortBytes(layer.bytes))}`;
    this.fillControls();
    this.ask();
    this.kind.focus();
  }

  /** A new view came: what was measured on an older file is void. */
  update(view: ModelView): void {
    this.view = view;
    if (!this.layer) return;
    const layer = view.layers.find(({ name }) => name === this.layer?.name);
    const isSame = layer && layer.bytes === this.layer.bytes && sameFigures(layer, this.layer);
    if (!layer) {
      this.close();
      return;
    }
    this.layer = layer;
    if (isSame) return;
    this.forget();
    this.ask();
  }

  receive(id: number, answer: WhatIfAnswer): void {
    if (id !== this.asked) return;
    for (const cell of answer.cells) this.known.set(cell.format, cell);
    for (const [format, reason] of Object.entries(answer.notExported)) this.refusals.set(format, reason);
    this.problem = answer.problems[0];
    this.render();
  }

  private close(): void {
    const name = this.layer?.name;
    this.layer = undefined;
    this.element.hidden = true;
    document.body.classList.remove('asks-what-if');
    if (name !== undefined) this.options.onClosed(name);
  }

  private forget(): void {
    this.known.clear();
    this.refusals.clear();
    this.problem = undefined;
  }

  private fillControls(): void {
    const { kind, bits, granularity, group, asymmetric } = this.choice;
    this.kind.value = kind;
    this.bits.value = String(bits);
    this.granularity.value = granularity;
    this.group.value = String(group);
    this.asymmetric.checked = asymmetric;
  }

  private changed(): void {
    this.choice = choiceFrom({
      kind: this.kind.value,
      bits: Number(this.bits.value),
      granularity: granularities.find((name) => name === this.granularity.value),
      group: Number(this.group.value),
      asymmetric: this.asymmetric.checked,
    });
    this.options.onChoice(this.choice);
    this.ask();
  }

  private ask(): void {
    if (!this.layer) return;
    const missing = formatsOf(this.choice).filter((format) => !this.known.has(format));
    if (missing.length > 0) {
      this.problem = undefined;
      this.asked += 1;
      this.options.post({ type: 'what-if', id: this.asked, layer: this.layer.name, formats: missing });
    }
    this.render();
  }

  private render(): void {
    const { layer, choice } = this;
    if (!layer) return;
    const isInteger = choice.kind === 'integer';
    this.bits.disabled = !isInteger;
    this.granularity.disabled = !isInteger;
    this.group.disabled = !isInteger || choice.granularity !== 'group';
    this.asymmetric.disabled = !isInteger;
    this.bitsText.textContent = isInteger ? say('whatIf.bitsValue', choice.bits) : '–';
    this.bits.setAttribute('aria-valuetext', say('whatIf.bitsValue', choice.bits));
    const format = formatOf(choice);
    const cell = this.known.get(format);
    fill(this.result, make('code', {}, format), ...this.answer(cell, layer));
    fill(this.widths, ...(isInteger ? bitWidths.map((bits) => this.width(bits)) : []));
    const refusal = this.refusal(format, cell);
    this.apply.disabled = refusal !== undefined;
    this.reason.textContent = refusal ?? '';
  }

  private answer(cell: ErrorCell | undefined, layer: LayerRow) {
    if (!cell) return [make('span', { class: 'quiet' }, this.problem ?? say('whatIf.measuring'))];
    const size =
      cell.bytes === undefined
        ? say('whatIf.noSize')
        : say('whatIf.size', shortBytes(cell.bytes), percentOf(cell.bytes, layer.bytes));
    return [...figure(cell, say('effect.weight', cell.format)), make('span', { class: 'size' }, size)];
  }

  /** One bit width under the granularity that is chosen: its figure at a glance, a click chooses it. */
  private width(bits: number): HTMLElement {
    const cell = this.known.get(formatOf({ ...this.choice, bits }));
    return make(
      'button',
      {
        class: `width ${cell?.verdict ?? 'unknown'}`,
        attributes: {
          type: 'button',
          tabindex: '-1',
          'aria-pressed': String(bits === this.choice.bits),
          'data-bits': String(bits),
        },
        onClick: () => {
          this.bits.value = String(bits);
          this.changed();
        },
      },
      make('b', {}, say('whatIf.bitsValue', bits)),
      make('span', {}, cell ? decibels(cell.db) : '…'),
      spoken(cell ? say(`verdict.${cell.verdict}`) : ''),
    );
  }

  /** Why the choice cannot go into the recipe; undefined when it can. */
  private refusal(format: string, cell: ErrorCell | undefined): string | undefined {
    if (this.view && !isOnnx(this.view)) return say('noGraphRecipe');
    if (!cell) return '';
    return this.refusals.get(format);
  }

  private write(): void {
    if (!this.layer || this.apply.disabled) return;
    const weights = formatOf(this.choice);
    this.options.post({ type: 'recipe', actions: [{ kind: 'weights', layer: this.layer.name, weights }] });
  }
}

/** The same weight: its own figures did not change. */
function sameFigures(one: LayerRow, other: LayerRow): boolean {
  const weightsOf = ({ cells }: LayerRow) =>
    cells.filter(({ effect }) => effect === 'weight').map(({ db }) => db);
  const before = weightsOf(other);
  return before.length === 0 || JSON.stringify(weightsOf(one)) === JSON.stringify(before);
}

function percentOf(part: number, whole: number): string {
  return `${Math.round((100 * part) / Math.max(1, whole))} %`;
}

function select(id: string, choices: readonly (readonly [string, string])[]): HTMLSelectElement {
  return make(
    'select',
    { id },
    ...choices.map(([value, label]) => make('option', { attributes: { value } }, label)),
  );
}

function field(id: string, label: string, ...controls: readonly HTMLElement[]): HTMLElement {
  return make('div', { class: 'choice' }, make('label', { attributes: { for: id } }, label), ...controls);
}
