/** The button that copies a table: a menu with the formats, and a word on what was copied. */
import type { CopyMessage } from '../../../server/src/protocol/panel';
import type { CopyFormat } from './copy';
import { make } from './dom';
import { openMenu } from './menu';
import { Notice } from './notice';
import { say } from './rpc';

/** A table that can be copied, as it is sorted and filtered now. */
export interface Copyable {
  readonly rowCount: number;
  copyText(format: CopyFormat): string;
}

/** Button and status; Ctrl+C in the table itself calls {@link copyTable} as well. */
export function copyMenu(
  table: Copyable,
  post: (message: CopyMessage) => void,
  notice = new Notice(),
): HTMLElement {
  const copy = (format: CopyFormat) => {
    notice.say(copyTable(table, format, post));
  };
  const button = make(
    'button',
    {
      class: 'small-button copy-table',
      title: say('copyTitle'),
      attributes: { type: 'button', 'aria-haspopup': 'menu', 'aria-expanded': 'false' },
      onClick: () =>
        openMenu(button, say('copyTable'), [
          { label: say('copyAs.csv'), run: () => copy('csv') },
          { label: say('copyAs.markdown'), run: () => copy('markdown') },
        ]),
    },
    say('copyTable'),
  );
  return make('span', { class: 'copy-menu' }, button, notice.element);
}

/** Sends the table to the clipboard; answers what to tell the user. */
export function copyTable(table: Copyable, format: CopyFormat, post: (message: CopyMessage) => void): string {
  post({ type: 'copy', text: table.copyText(format) });
  return say(`copied.${format}`, table.rowCount);
}
