/** Building elements. Texts become text nodes, never HTML, because names come from model files. */

export type Child = Node | string | undefined | false;

export interface Properties {
  readonly id?: string;
  readonly class?: string;
  readonly title?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly onClick?: () => void;
}

/** An element with properties and children; `false` and `undefined` children are left out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (properties.id !== undefined) made.id = properties.id;
  if (properties.class !== undefined) made.className = properties.class;
  if (properties.title !== undefined) made.title = properties.title;
  for (const [name, value] of Object.entries(properties.attributes ?? {})) made.setAttribute(name, value);
  if (properties.onClick) made.addEventListener('click', properties.onClick);
  made.append(...present(children));
  return made;
}

/** Replaces what an element holds. */
export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...present(children));
}

/** How an element was made; once it is in the page its components write into it. */
const madeAs = new WeakMap<Node, string>();

/**
 * Replaces what an element holds, yet leaves children in place that are made anew just as they were: the focus stays in
 * them, and screen readers do not read them again. What such a child does must not depend on when it was made.
 */
export function renew(parent: Element, ...children: readonly Child[]): void {
  const kept = [...parent.childNodes];
  let at = 0;
  for (const child of present(children)) {
    const node = typeof child === 'string' ? document.createTextNode(child) : child;
    const text = node instanceof Element ? node.outerHTML : (node.textContent ?? '');
    const same = kept.findIndex((one, index) => index >= at && madeAs.get(one) === text);
    if (same >= 0) {
      for (const gone of kept.slice(at, same)) gone.remove();
      at = same + 1;
      continue;
    }
    madeAs.set(node, text);
    parent.insertBefore(node, kept[at] ?? null);
  }
  for (const gone of kept.slice(at)) gone.remove();
}

/** Text for screen readers only. */
export function spoken(text: string): HTMLElement {
  return make('span', { class: 'spoken' }, text);
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.filter((child) => child !== undefined && child !== false);
}
