/** The workbench as a user sees it: files, commands, notifications, problems, webviews. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { TextEditor } from './text-editor';
import { until } from './until';

/** The themes that come with the editor, and the class by which the page shows which kind is on. */
const themeClasses = {
  'Dark 2026': 'vs-dark',
  'Dark Modern': 'vs-dark',
  'Light 2026': 'vs',
  'Light Modern': 'vs',
  'Dark High Contrast': 'hc-black',
  'Light High Contrast': 'hc-light',
} as const;

export type ThemeName = keyof typeof themeClasses;

/** How many looks in a row must see the same text before a dialog is trusted to have finished listing. */
const STEADY_LOOKS = 8;

/** One page with one folder open. Locators come back where a test wants to say itself what it expects. */
export class Workbench {
  /** What the page wrote to its console, webviews included, each line with its level. */
  readonly consoleLines: string[] = [];

  constructor(
    readonly page: Page,
    /** The open folder on disk. */
    readonly folder: string,
    private readonly screenshots: string,
    private readonly onClose: () => void,
  ) {
    page.setDefaultTimeout(20_000);
    page.on('console', (message) => this.consoleLines.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.consoleLines.push(`uncaught: ${error.message}`));
  }

  /**
   * Waits until the explorer shows files and the extension's commands are known: a model opened before that
   * would be shown as a binary file.
   */
  async ready(): Promise<void> {
    await this.page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
    await this.explorerRows().first().waitFor({ timeout: 60_000 });
    await until('the extension is known to the workbench', async () => {
      const titles = await this.commandsFor('Quantlens');
      return titles.some((title) => title.startsWith('Quantlens:'));
    });
  }

  /** Reloads the window by the editor's own command, which keeps its state first; its editors come back. */
  async reload(): Promise<void> {
    const reloaded = this.page.waitForEvent('load');
    await this.command('Developer: Reload Window');
    await reloaded;
    await this.ready();
  }

  async close(): Promise<void> {
    this.onClose();
    await this.page.close();
  }

  // Files and editors

  explorerRows(): Locator {
    return this.page.locator('.explorer-folders-view .monaco-list-row');
  }

  /** The explorer's row of a file or folder, by its own name. */
  explorerRow(name: string): Locator {
    return this.explorerRows().filter({
      has: this.page.locator('.label-name').getByText(name, { exact: true }),
    });
  }

  /** Opens a file by double click in the explorer, unfolding its folders, and waits for its tab. */
  async openFile(file: string): Promise<void> {
    await this.showExplorer();
    const names = file.split('/');
    for (const folder of names.slice(0, -1)) {
      const row = this.explorerRow(folder);
      if ((await row.getAttribute('aria-expanded')) === 'false') await row.click();
    }
    const name = names.at(-1) ?? file;
    await this.explorerRow(name).dblclick();
    await this.tab(name).waitFor();
  }

  /**
   * Opens a model and waits until its page is there. In a fresh profile the editor knows the commands of an extension
   * a moment before its custom editors, and shows files that are opened in between as binary: they are opened anew.
   */
  async openModel(file: string): Promise<FrameLocator> {
    const title = `body.page-model h1:text-is("${file.split('/').at(-1)}")`;
    return until(`${file} is shown in the model editor`, async () => {
      await this.openFile(file);
      return this.webview(title, 6).catch(() => this.closeTab(file));
    });
  }

  /** Closes the tab of a file. */
  async closeTab(file: string): Promise<undefined> {
    await this.tab(file.split('/').at(-1) ?? file)
      .locator('a[aria-label^="Close"]')
      .click();
  }

  /** Opens a text file and waits until its editor shows it. */
  async openText(file: string): Promise<TextEditor> {
    await this.openFile(file);
    const editor = this.editor(file);
    await editor.locator.locator('.view-line').first().waitFor();
    return editor;
  }

  /** The text editor of a document, named by the end of its path. */
  editor(file: string): TextEditor {
    return new TextEditor(this.page, file);
  }

  tab(name: string): Locator {
    return this.page.locator('.tabs-container .tab').filter({ hasText: name });
  }

  async showExplorer(): Promise<void> {
    if (await this.page.locator('.explorer-folders-view').isVisible()) return;
    await this.page.keyboard.press('Control+Shift+E');
    await this.page.locator('.explorer-folders-view').waitFor();
  }

  // Commands and questions

  /** Runs a command of the palette, named as the palette shows it ("Quantlens: Calibrate"). */
  async command(title: string): Promise<void> {
    await this.openPalette();
    await this.page.locator('.quick-input-widget .quick-input-box input').fill(`>${title}`);
    await this.pick(title);
  }

  /** Titles that the palette offers for a text. */
  async commandsFor(text: string): Promise<string[]> {
    await this.openPalette();
    await this.page.locator('.quick-input-widget .quick-input-box input').fill(`>${text}`);
    const rows = this.quickRows();
    const titles = await until('the palette answers', async () => {
      const shown = await rows.locator('.monaco-highlighted-label').allInnerTexts();
      return shown.length > 0 && shown;
    });
    await this.page.keyboard.press('Escape');
    return titles;
  }

  /** The rows of the palette or of a question with choices. */
  quickRows(): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row');
  }

  /** Chooses the first row of the palette or of a question that contains a text. */
  async pick(label: string): Promise<void> {
    await this.quickRows().filter({ hasText: label }).first().click();
  }

  /** Answers a question for text (also the one for a file name). */
  async answer(text: string): Promise<void> {
    await this.page.locator('.quick-input-widget .quick-input-box input').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /**
   * Answers the dialog for a file or folder with an absolute path. While it lists its first folder it forgets what was
   * typed, and a folder dialog would then take that folder: Enter is pressed once the path has stayed for a while.
   */
  async pickFile(file: string): Promise<void> {
    const widget = this.page.locator('.quick-input-widget');
    const input = widget.locator('.quick-input-box input');
    await widget.waitFor();
    await until('the dialog has listed its first folder', async () => (await input.inputValue()).length > 1);
    await until(`the dialog takes ${file}`, async () => {
      let kept = 0;
      await until(`the dialog keeps ${file}`, async () => {
        kept = (await input.inputValue({ timeout: 2000 })) === file ? kept + 1 : 0;
        if (kept === 0) await input.fill(file, { timeout: 2000 });
        return kept >= STEADY_LOOKS;
      });
      await this.page.keyboard.press('Enter');
      await widget.waitFor({ state: 'hidden', timeout: 2000 });
      return true;
    });
  }

  /** Chooses an entry of the context menu of something. */
  async contextMenu(on: Locator, entry: string): Promise<void> {
    await on.click({ button: 'right' });
    const item = this.page.locator('.monaco-menu .action-item').filter({ hasText: entry }).first();
    await item.waitFor();
    // A menu ignores clicks in its first moments, which may still belong to the click that opened it.
    await until(`the menu takes "${entry}"`, async () => {
      await item.click({ timeout: 1000 });
      await item.waitFor({ state: 'hidden', timeout: 1000 });
      return true;
    });
  }

  // Notifications, dialogs, status bar, views

  /** The notification on screen that contains a text. */
  toast(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast').filter({ hasText: text });
  }

  /** Waits for a notification and clicks one of its buttons. */
  async clickToast(text: string | RegExp, button: string): Promise<void> {
    await this.toast(text).locator('.monaco-button').filter({ hasText: button }).first().click();
  }

  /** The modal dialog that contains a text; its buttons are `.monaco-button`. */
  dialog(text: string | RegExp): Locator {
    return this.page.locator('.monaco-dialog-box').filter({ hasText: text });
  }

  statusItem(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item').filter({ hasText: text });
  }

  /** Opens a view container by its icon in the activity bar. */
  async activity(label: string): Promise<void> {
    await this.page.locator(`.activitybar .action-item a[aria-label^="${label}"]`).click();
  }

  /** Rows of the problems view (files and findings), once one contains `expected`. */
  async problems(expected = ''): Promise<string[]> {
    const rows = this.page.locator('.markers-panel .monaco-list-row');
    if (!(await this.page.locator('.markers-panel').isVisible())) {
      await this.page.keyboard.press('Control+Shift+M');
      await this.page.locator('.markers-panel').waitFor();
    }
    return until(`a problem with "${expected}"`, async () => {
      const texts = (await rows.allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
      return texts.some((text) => text.includes(expected)) && texts;
    });
  }

  // Webviews

  /**
   * The webview in which a selector (CSS, also inside the toolkit's elements) finds something. Wait for one
   * webview before opening the next: two that load at once in a fresh profile can block each other.
   */
  async webview(selector: string, seconds = 20): Promise<FrameLocator> {
    const outer = this.page.locator('iframe.webview.ready');
    const look = async () => {
      for (let index = 0; index < (await outer.count()); index += 1) {
        const inner = outer.nth(index).contentFrame().locator('iframe#active-frame').contentFrame();
        if ((await inner.locator(selector).count()) > 0) return inner;
      }
      return undefined;
    };
    return until(`a webview with ${selector}`, look, seconds);
  }

  // Looks

  /** Changes the colour theme, named as the list of themes names it. */
  async theme(name: ThemeName): Promise<void> {
    await this.command('Preferences: Color Theme');
    await this.page.locator('.quick-input-widget .quick-input-box input').fill(name);
    await this.pick(name);
    await this.page.locator(`.monaco-workbench.${themeClasses[name]}`).waitFor();
  }

  /** Keeps a picture in test/artifacts/screenshots, for a person to look at. */
  async screenshot(name: string): Promise<void> {
    await mkdir(this.screenshots, { recursive: true });
    await this.page.screenshot({ path: path.join(this.screenshots, `${name}.png`), animations: 'disabled' });
  }

  private async openPalette(): Promise<void> {
    const widget = this.page.locator('.quick-input-widget');
    await until('the palette is open', async () => {
      await this.page.keyboard.press('F1');
      await widget.waitFor({ timeout: 2000 });
      return true;
    });
  }
}
