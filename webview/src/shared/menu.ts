/** A small menu below a button: arrow keys, Enter, Escape; focus goes back to where it came from. */
import { make } from './dom';

export interface MenuItem {
  readonly label: string;
  /** On or off: choosing it changes that, and the menu stays open. */
  readonly isChecked?: boolean;
  readonly run: () => void;
}

/** Opens a menu; at most one is open. */
export function openMenu(anchor: HTMLElement, label: string, items: readonly MenuItem[]): void {
  closeOpenMenu?.(false);
  const before = document.activeElement;
  const buttons = items.map((item) => {
    const { isChecked } = item;
    const role = isChecked === undefined ? 'menuitem' : 'menuitemcheckbox';
    const button = make(
      'button',
      {
        class: 'menu-item',
        attributes: { role, type: 'button', tabindex: '-1' },
        onClick: () => (isChecked === undefined ? choose(item) : toggle(item, button)),
      },
      item.label,
    );
    if (isChecked !== undefined) button.setAttribute('aria-checked', String(isChecked));
    return button;
  });
  const menu = make('div', { class: 'menu', attributes: { role: 'menu', 'aria-label': label } }, ...buttons);
  const close = (giveBackFocus: boolean) => {
    closeOpenMenu = undefined;
    anchor.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', onPointer, true);
    menu.remove();
    if (giveBackFocus && before instanceof HTMLElement) before.focus();
  };
  const choose = (item: MenuItem) => {
    close(true);
    item.run();
  };
  const toggle = (item: MenuItem, button: HTMLElement) => {
    item.run();
    button.setAttribute('aria-checked', String(button.getAttribute('aria-checked') !== 'true'));
  };
  const onPointer = (event: Event) => {
    if (event.target instanceof Node && !menu.contains(event.target)) close(false);
  };
  menu.addEventListener('keydown', (event) => onKey(event, buttons, close));
  document.addEventListener('pointerdown', onPointer, true);
  closeOpenMenu = close;
  anchor.setAttribute('aria-expanded', 'true');
  document.body.append(menu);
  place(menu, anchor);
  buttons[0]?.focus();
}

let closeOpenMenu: ((giveBackFocus: boolean) => void) | undefined;

function onKey(event: KeyboardEvent, buttons: readonly HTMLElement[], close: (focus: boolean) => void): void {
  const at = buttons.findIndex((one) => one.matches(':focus'));
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: (at + 1) % buttons.length,
    ArrowUp: (at - 1 + buttons.length) % buttons.length,
    Home: 0,
    End: buttons.length - 1,
  };
  const to = steps[event.key];
  if (to !== undefined) buttons[to]?.focus();
  else if (event.key === 'Escape' || event.key === 'Tab') close(true);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Below the anchor, or above it where the page ends. */
function place(menu: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = at.bottom + height <= window.innerHeight;
  menu.style.top = `${Math.max(0, below ? at.bottom : at.top - height)}px`;
  menu.style.left = `${Math.max(0, Math.min(at.left, window.innerWidth - width - 4))}px`;
}
