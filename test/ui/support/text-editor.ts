/** A text editor of the workbench: its text, hovers, lenses, quick fixes. */
import type { Locator, Page } from 'playwright-core';
import { until } from './until';

/** Found by the end of its file's path; text is searched in the lines on screen, within one line. */
export class TextEditor {
  readonly locator: Locator;

  constructor(
    private readonly page: Page,
    readonly file: string,
  ) {
    const addresses = [`[data-uri$="${file}"]`, `[data-uri*="${file}?"]`];
    this.locator = page
      .locator(addresses.map((one) => `.editor-instance .monaco-editor${one}`).join())
      .first();
  }

  /** The lines on screen, inlay hints included. */
  async text(): Promise<string> {
    const lines = await this.locator.locator('.view-lines').evaluate((element) =>
      [...element.querySelectorAll<HTMLElement>('.view-line')]
        .map((line) => ({ top: Number.parseFloat(line.style.top), text: line.textContent ?? '' }))
        .sort((a, b) => a.top - b.top)
        .map(({ text }) => text),
    );
    return lines.join('\n').replaceAll('\u00a0', ' ');
  }

  /** Scrolls to the first place of a text and selects it. */
  async reveal(text: string): Promise<void> {
    await this.focus();
    await this.page.keyboard.press('Control+Home');
    await this.page.keyboard.press('Control+F');
    const widget = this.page.locator('.find-widget.visible');
    await widget.locator('.find-part textarea, .find-part input').first().fill(text);
    await until(`${this.file} has "${text}"`, async () =>
      (await widget.locator('.matchesCount').innerText()).startsWith('1 of'),
    );
    await this.page.keyboard.press('Escape');
    await until(`${this.file} shows "${text}"`, async () => (await this.place(text)) !== undefined);
  }

  /** Puts the caret into a text on screen. */
  async click(text: string): Promise<void> {
    const { x, y } = await this.require(text);
    await this.page.mouse.click(x, y);
  }

  /** What the hover over a text says, once it says something that `accept` takes. */
  async hover(text: string, accept: (said: string) => boolean = () => true): Promise<string> {
    return until(`a hover on "${text}"`, async () => {
      const { x, y } = await this.require(text);
      await this.page.mouse.move(x, y - 200);
      await this.page.mouse.move(x, y, { steps: 4 });
      return until(
        'the hover is filled',
        async () => {
          const shown = this.page.locator('.monaco-hover:not(.hidden) .monaco-hover-content').first();
          const [said = ''] = await shown.allInnerTexts();
          return said !== '' && !said.startsWith('Loading') && accept(said) && said;
        },
        3,
      );
    });
  }

  /** Titles of the code lenses on screen, once one contains `expected`. */
  async lenses(expected = ''): Promise<string[]> {
    // Lenses without a command are no links.
    const links = this.locator
      .locator('.codelens-decoration > :is(a, span)')
      .filter({ hasNotText: /^.[|].$/ });
    return until(`a code lens "${expected}" in ${this.file}`, async () => {
      const found = until(
        'the lens is on screen',
        async () => {
          const titles = await links.allInnerTexts();
          return titles.length > 0 && titles.some((title) => title.includes(expected)) && titles;
        },
        4,
      );
      // On a busy machine the editor can lose the lenses it asks for while the extension starts; it asks again
      // when it gets the focus, as under the user's first click.
      return found.catch(() => this.refocus());
    });
  }

  /** Clicks the first code lens whose title contains a text, when it is there. */
  async clickLens(title: string): Promise<void> {
    await this.lenses(title);
    await this.locator.locator('.codelens-decoration a').filter({ hasText: title }).first().click();
  }

  /** Titles of the quick fixes and refactorings offered at a text, once one contains `expected`. */
  async codeActions(text: string, expected = ''): Promise<string[]> {
    const titles = await this.openCodeActions(text, expected);
    await this.page.keyboard.press('Escape');
    return titles;
  }

  /** Applies the first code action at a text whose title contains `title`. */
  async applyCodeAction(text: string, title: string): Promise<void> {
    await this.openCodeActions(text, title);
    await this.page
      .locator('.action-widget .monaco-list-row.action')
      .filter({ hasText: title })
      .first()
      .click();
  }

  /** Focuses the editor without moving the caret. */
  async focus(): Promise<void> {
    await this.input().focus();
  }

  private input(): Locator {
    return this.locator.locator('.native-edit-context, textarea.inputarea').first();
  }

  private async refocus(): Promise<undefined> {
    await this.input().blur();
    await this.input().focus();
  }

  private async openCodeActions(text: string, expected: string): Promise<string[]> {
    return until(`a code action "${expected}" on "${text}"`, async () => {
      await this.page.keyboard.press('Escape');
      await this.click(text);
      await this.page.keyboard.press('Control+.');
      const rows = this.page.locator('.action-widget .monaco-list-row.action');
      await rows.first().waitFor({ timeout: 3000 });
      const titles = await rows.allInnerTexts();
      return titles.some((title) => title.includes(expected)) && titles;
    });
  }

  private async require(text: string): Promise<{ x: number; y: number }> {
    return until(`${this.file} shows "${text}"`, () => this.place(text));
  }

  /** The middle of a text on screen, in page coordinates. */
  private place(text: string): Promise<{ x: number; y: number } | undefined> {
    return this.locator.locator('.view-lines').evaluate((lines, wanted) => {
      for (const line of lines.querySelectorAll('.view-line')) {
        const start = (line.textContent ?? '').replaceAll('\u00a0', ' ').indexOf(wanted);
        if (start < 0) continue;
        const middle = start + Math.floor(wanted.length / 2);
        const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
        let passed = 0;
        for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
          const length = node.textContent?.length ?? 0;
          if (middle < passed + length) {
            const range = document.createRange();
            range.setStart(node, middle - passed);
            range.setEnd(node, middle - passed + 1);
            const box = range.getBoundingClientRect();
            return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
          }
          passed += length;
        }
      }
      return undefined;
    }, text);
  }
}
