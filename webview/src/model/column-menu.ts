/** The button that tells how many columns are shown, and its menu in which the reader chooses them. */
import { fill, make } from '../shared/dom';
import { openMenu } from '../shared/menu';
import { say } from '../shared/rpc';
import type { ChosenColumns } from './fit-columns';

export interface ListedColumn {
  readonly id: string;
  readonly label: string;
  readonly isShown: boolean;
}

export class ColumnMenu {
  readonly element = make(
    'button',
    {
      id: 'columns',
      class: 'small-button',
      title: say('columnsTitle'),
      attributes: { type: 'button', 'aria-haspopup': 'menu', 'aria-expanded': 'false' },
      onClick: () => this.open(),
    },
    say('columns'),
  );
  private columns: readonly ListedColumn[] = [];

  constructor(
    private chosen: ChosenColumns,
    private readonly onChosen: (chosen: ChosenColumns) => void,
  ) {}

  /** All columns but the name, which is always there. */
  setColumns(columns: readonly ListedColumn[]): void {
    this.columns = columns;
    const shown = columns.filter(({ isShown }) => isShown).length;
    fill(this.element, shown === columns.length ? say('columns') : say('columnsOf', shown, columns.length));
  }

  private open(): void {
    openMenu(this.element, say('columns'), [
      ...this.columns.map(({ id, label, isShown }) => ({
        label,
        isChecked: isShown,
        run: () => this.choose({ ...this.chosen, [id]: !this.isShown(id) }),
      })),
      { label: say('columnsFitted'), run: () => this.choose({}) },
    ]);
  }

  private isShown(id: string): boolean {
    return this.columns.find((one) => one.id === id)?.isShown ?? false;
  }

  private choose(chosen: ChosenColumns): void {
    this.chosen = chosen;
    this.onChosen(chosen);
  }
}
