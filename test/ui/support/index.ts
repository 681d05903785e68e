/**
 * Support library of the UI scenarios: what a user does and sees, in a real VS Code with the packaged extension
 * installed, shown by a headless browser. A scenario is a mocha test (bdd, 60 s each, no retries, no pending):
 *
 * ```ts
 * import { openWorkbench, until, type Workbench } from './support';
 *
 * describe('hover', () => {
 *   let workbench: Workbench;
 *   before(async () => { workbench = await openWorkbench(); });
 *   after(() => workbench.close());
 *
 *   it('tells the error of a layer', async () => {
 *     const editor = await workbench.openText('train.py');
 *     assert.match(await editor.hover('conv1'), /dB/);
 *     await workbench.screenshot('hover-layer');
 *   });
 * });
 * ```
 *
 * `openWorkbench({ trusted, settings, prepare })` opens a fresh copy of examples/ (`workbench.folder` on disk) in
 * a page of its own; `trusted: false` opens it in restricted mode. All pages share one browser and, per kind of
 * trust, one server; open few workbenches (3 s and 150 MB each) and close them.
 *
 * Workbench: `openFile(path)` `openModel(path)` `openText(path)` `editor(path)` `tab(name)` `explorerRow(name)` ·
 * `command(title)` `commandsFor(text)` `contextMenu(on, entry)` `pick(label)` `answer(text)` `pickFile(path)`
 * `quickRows()` ·
 * `toast(text)` `clickToast(text, button)` `dialog(text)` `statusItem(text)` `activity(label)` `problems(expected)` ·
 * `webview(selector)` · `theme(name)` `screenshot(name)` · `reload()` · `page` (Playwright), `folder`, `consoleLines`.
 * TextEditor: `text()` `reveal(text)` `click(text)` `hover(text, accept)` `lenses(expected)` `clickLens(title)`
 * `codeActions(text, expected)` `applyCodeAction(text, title)` `focus()` `locator`.
 * Locators are Playwright's: `await workbench.toast(/saved/).waitFor()`, `(await workbench.webview('#table'))
 * .locator('tr')`. They wait 20 s; anything else is waited for with `until(what, probe)`. Never sleep.
 *
 * Traps: wait for one webview's own content before opening the next (a fresh profile loses one of two that load
 * at once). Do not assert on offline noise in `consoleLines`. The explorer lists only rows on screen.
 *
 * Run: `npm run test:ui` (all), `npm run test:ui -- smoke hover` (files whose names contain these). Pictures go to
 * test/artifacts/screenshots; a failure leaves picture, console and server log in test/artifacts/failures.
 */
export { writeLargeModel } from './large-model';
export { hooks, inferenceProcesses, installedExtension, type OpenOptions, openWorkbench } from './session';
export { TextEditor } from './text-editor';
export { writeTokenModel } from './token-model';
export { until } from './until';
export { type ThemeName, Workbench } from './workbench';
