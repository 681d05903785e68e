/**
 * The one door to `@vscode/webview-ui-toolkit` (its last version; the package is no longer developed). Pages use the
 * functions below and never a component's own name, so that another set of components needs changes here only.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { make } from './dom';

/** Defines the custom elements; call once, before building a page. */
export function registerComponents(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeDropdown(),
    vsCodeOption(),
    vsCodeProgressRing(),
    vsCodeTextField(),
  );
}

/** What all controls of a form can do. */
export interface Control {
  readonly element: HTMLElement;
  setEnabled(enabled: boolean): void;
}

export interface ButtonOptions {
  readonly id?: string;
  readonly label: string;
  readonly title?: string;
  readonly primary?: boolean;
  /** Why it is off at present: looks and reads so, can be reached all the same, and a click says it. */
  readonly reason?: string;
  readonly onClick: () => void;
}

export interface Button extends Control {
  setLabel(label: string): void;
}

export function button({ id, label, title, primary, reason, onClick }: ButtonOptions): Button {
  const element = custom('vscode-button', id);
  element.setAttribute('appearance', primary ? 'primary' : 'secondary');
  const told = reason ?? title;
  if (told !== undefined) element.title = told;
  if (reason !== undefined) {
    element.setAttribute('aria-disabled', 'true');
    element.setAttribute('aria-description', reason);
  }
  element.textContent = label;
  element.addEventListener('click', () => {
    if (!element.hasAttribute('disabled')) onClick();
  });
  return {
    element,
    setEnabled: enabler(element),
    setLabel: (text) => {
      element.textContent = text;
    },
  };
}

export interface Choice {
  readonly value: string;
  readonly label: string;
}

export interface Dropdown extends Control {
  value(): string;
  /** Chooses a value that is among the choices. */
  choose(value: string): void;
  setChoices(choices: readonly Choice[], value: string): void;
}

/** A labelled list to choose one value from. */
export function dropdown(options: {
  readonly id: string;
  readonly label: string;
  readonly onChange: () => void;
}): Dropdown {
  const element = custom('vscode-dropdown', options.id);
  element.setAttribute('aria-label', options.label);
  let current = '';
  element.addEventListener('change', () => {
    const chosen = textIn(element);
    // The element tells a change by keys, Tab and Escape included, of values too that were set from here.
    if (chosen === current) return;
    current = chosen;
    options.onChange();
  });
  const choose = (value: string) => {
    current = value;
    // The element learns of its options when they are slotted, after this turn.
    requestAnimationFrame(() => Reflect.set(element, 'value', value));
  };
  return {
    element,
    value: () => current,
    choose,
    setChoices: (choices, value) => {
      element.replaceChildren(
        ...choices.map((choice) => {
          const option = document.createElement('vscode-option');
          option.setAttribute('value', choice.value);
          if (choice.value === value) option.setAttribute('selected', '');
          option.textContent = choice.label;
          return option;
        }),
      );
      choose(value);
    },
    setEnabled: enabler(element),
  };
}

export interface TextField extends Control {
  value(): string;
  setValue(value: string): void;
  /** Marks the field as wrong and says why; undefined = right. */
  setProblem(problem: string | undefined): void;
}

/** A labelled line of text, with room for what is wrong with it. */
export function textField(options: {
  readonly id: string;
  readonly label: string;
  readonly placeholder?: string;
  readonly onChange: () => void;
}): TextField {
  const field = custom('vscode-text-field', options.id);
  field.textContent = options.label;
  if (options.placeholder !== undefined) field.setAttribute('placeholder', options.placeholder);
  field.addEventListener('input', options.onChange);
  const problem = make('div', { class: 'problem', attributes: { role: 'alert' } });
  return {
    element: make('div', { class: 'field' }, field, problem),
    value: () => textIn(field),
    setValue: (value) => {
      Reflect.set(field, 'value', value);
    },
    setProblem: (text) => {
      problem.textContent = text ?? '';
      field.classList.toggle('wrong', text !== undefined);
      field.setAttribute('aria-invalid', String(text !== undefined));
    },
    setEnabled: enabler(field),
  };
}

/** A ring that turns while something runs. */
export function progressRing(): HTMLElement {
  const ring = custom('vscode-progress-ring');
  ring.setAttribute('aria-hidden', 'true');
  return ring;
}

function custom(tag: string, id?: string): HTMLElement {
  const element = document.createElement(tag);
  if (id !== undefined) element.id = id;
  return element;
}

function enabler(element: HTMLElement): (enabled: boolean) => void {
  return (enabled) => element.toggleAttribute('disabled', !enabled);
}

function textIn(element: HTMLElement): string {
  const value: unknown = Reflect.get(element, 'value');
  return typeof value === 'string' ? value : '';
}
