/** What both models run on: a section of the page that a button of its toolbar opens. */
import type { CompareData, CompareTarget } from '../../../server/src/protocol/panel';
import { DataFields, type StartData } from '../shared/data-fields';
import { type DataValues, preprocessingOf } from '../shared/data-values';
import { make } from '../shared/dom';
import { say } from '../shared/rpc';
import { button } from '../shared/toolkit';

export interface DataFormOptions {
  readonly onPick: (kind: 'folder' | 'file') => void;
  readonly onCompare: (data: CompareData) => void;
  /** What is typed and not yet compared on; undefined once the section is closed. */
  readonly onDraft: (draft: DataValues | undefined) => void;
}

export class DataForm {
  readonly element = make('form', {
    id: 'data-form',
    class: 'form',
    attributes: { 'aria-label': say('chooseData') },
  });
  private readonly fields: DataFields;
  private readonly compare = button({
    id: 'compare-on',
    label: say('compareOn'),
    primary: true,
    onClick: () => this.send(),
  });
  private running = false;
  /** What was sent off last came from here: when it fails, the fields come back. */
  private sent = false;

  constructor(private readonly options: DataFormOptions) {
    this.fields = new DataFields({
      samples: '16',
      onChange: () => {
        options.onDraft(this.fields.values());
        this.show();
      },
      onPick: options.onPick,
    });
    const close = button({ id: 'close-data', label: say('closeData'), onClick: () => this.close() });
    this.element.append(
      ...this.fields.elements,
      make('div', { class: 'form-actions' }, this.compare.element, close.element),
    );
    this.element.hidden = true;
    this.element.addEventListener('submit', (event) => event.preventDefault());
    this.element.addEventListener('keydown', (event) => {
      const { target, key } = event;
      if (key === 'Escape' && !isOpenList(target)) this.close();
      else if (key === 'Enter' && target instanceof HTMLElement && this.fields.isLine(target.id)) this.send();
      else return;
      event.preventDefault();
    });
    this.show();
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Opens it with what is compared now, or as it was left; closes it when it is open. */
  toggle(target: CompareTarget | undefined): void {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.open({ ...target?.preprocessing, source: target?.source, samples: target?.samples });
    this.options.onDraft(this.fields.values());
    this.element.querySelector<HTMLElement>('#data')?.focus();
  }

  open(values: StartData): void {
    this.fields.fillIn(values);
    this.element.hidden = false;
    this.show();
  }

  /** The folder or file that the user picked. */
  setSource(source: string): void {
    this.fields.setSource(source);
  }

  /** While a comparison runs nothing can be sent off; after one from here that failed the fields are there again. */
  setState(running: boolean, failed: boolean): void {
    this.running = running;
    if (failed && this.sent) this.element.hidden = false;
    if (!running) this.sent = false;
    this.show();
  }

  private show(): void {
    this.compare.setEnabled(!this.running && this.fields.values().source !== '');
  }

  private send(): void {
    if (this.running || !this.fields.check()) return;
    const values = this.fields.values();
    this.close();
    this.sent = true;
    const { source, samples } = values;
    this.options.onCompare({
      source,
      samples: Number(samples),
      preprocessing: preprocessingOf(values),
    });
  }

  private close(): void {
    this.element.hidden = true;
    this.options.onDraft(undefined);
    document.querySelector<HTMLElement>('#choose-data')?.focus();
  }
}

/** Escape closes the list first. */
function isOpenList(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('vscode-dropdown[open]') !== null;
}
