/** The history of runs in the side bar: filled by runs, there after a reload, copied, repeated and cleared. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { openWorkbench, until, type Workbench } from './support';

const recipeOfQuantized = 'fashion_mobile.int8.quant.json';

describe('history of runs', () => {
  let workbench: Workbench;
  let panel: FrameLocator;
  const view = () => workbench.page.locator('.pane').filter({ hasText: 'Runs' }).last();
  const rows = () => view().locator('.monaco-list-row');
  const rowTexts = async () =>
    (await rows().allInnerTexts()).map((text) => text.replaceAll('\u00a0', ' ').replace(/\s+/g, ' '));
  const rowsOf = (...expected: readonly RegExp[]) =>
    until(`runs ${expected.join(', ')}`, async () => {
      const texts = await rowTexts();
      return (
        texts.length === expected.length && expected.every((one, at) => one.test(texts[at] ?? '')) && texts
      );
    });

  /** A click, and Enter, opens what each run produced: the comparison, the file written, the page with the figures. */
  const opensOnClick = async () => {
    const active = (name: RegExp) =>
      workbench.page.locator('.tabs-container .tab.active').filter({ hasText: name }).waitFor();
    await rows().filter({ hasText: 'Quantize int8' }).click();
    await active(/fashion_mobile\.int8\.onnx/);
    await rows().filter({ hasText: 'Calibrate w8a8' }).click();
    await active(/^fashion_mobile\.onnx/);
    await rows().filter({ hasText: 'Compare' }).click();
    await active(/fashion_mobile\.onnx.*fashion_mobile\.int8\.onnx/);
    await rows().filter({ hasText: 'Quantize int8' }).click();
    await active(/^fashion_mobile\.int8\.onnx/);
    // The file that was opened has the keys, once its page is there.
    await workbench.webview('#layers th[data-column="quantized:execution"]');
    await workbench.command('Focus on Runs View');
    await workbench.page.keyboard.press('Home');
    await rows().filter({ hasText: 'Compare' }).and(workbench.page.locator('.focused')).waitFor();
    await workbench.page.keyboard.press('Enter');
    await active(/fashion_mobile\.onnx.*fashion_mobile\.int8\.onnx/);
  };

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        // What a writer leaves for a moment, beside files that shall be seen or not as before.
        await writeFile(path.join(folder, '.net.onnx.1234-0.quantlens-tmp'), 'half a model');
        await writeFile(path.join(folder, '.seen'), '');
        await mkdir(path.join(folder, '.git'));
      },
    });
  });
  after(() => workbench.close());

  it('files that are being written are not shown in the explorer', async () => {
    await workbench.explorerRow('.seen').waitFor();
    assert.equal(await workbench.explorerRow('.net.onnx.1234-0.quantlens-tmp').count(), 0);
    assert.equal(await workbench.explorerRow('.git').count(), 0);
  });

  it('has a calibration and a quantization, newest first', async () => {
    await workbench.openModel('fashion_mobile.onnx');
    await workbench.activity('Quantlens');
    panel = await workbench.webview('#form');
    await panel.locator('#run:not([disabled])').click();
    await panel.locator('#result h2').filter({ hasText: 'Calibrated' }).waitFor({ timeout: 40_000 });
    await rowsOf(/^Calibrate w8a8\s*\d+\.\d dB · fashion_mobile\.onnx/);
    await workbench.command('Quantlens: Quantize…');
    await workbench.quickRows().filter({ hasText: 'int8' }).nth(1).click();
    await workbench
      .toast(/fashion_mobile\.\w+\.onnx/)
      .first()
      .waitFor({ timeout: 40_000 });
    const texts = await rowsOf(/^Quantize int8.* fashion_mobile/, /^Calibrate w8a8.* fashion_mobile/);
    assert.match(texts[0] ?? '', /\d+\.\d dB/);
    assert.match(texts[1] ?? '', /128 samples|32 samples/);
    await workbench.screenshot('history');
  });

  it('can be grouped by model and is there after a reload', async function () {
    // A reload starts the editor, the extension and the server anew.
    this.timeout(120_000);
    // What is written while the editor starts anew, before it watches files, would not be seen.
    const text = '{ "model": "fashion_mobile.int8.onnx", "default": { "weights": "int4.channel" } }';
    await writeFile(path.join(workbench.folder, recipeOfQuantized), text);
    await view().locator('.pane-header').hover();
    await view().locator('.action-label[aria-label="Group by Model"]').click();
    await rowsOf(/^fashion_mobile\.onnx\s*2 runs/, /^Quantize int8/, /^Calibrate w8a8/);
    await workbench.screenshot('history-grouped');
    // The explorer is what a reload waits for.
    await workbench.showExplorer();
    await workbench.reload();
    await workbench.activity('Quantlens');
    await rowsOf(/^fashion_mobile\.onnx\s*2 runs/, /^Quantize int8/, /^Calibrate w8a8/);
    await view().locator('.pane-header').hover();
    await view().locator('.action-label[aria-label="List All Runs"]').click();
    await rowsOf(/^Quantize int8/, /^Calibrate w8a8/);
  });

  it('a recipe for a file that is quantized already is told so', async () => {
    await workbench.openText(recipeOfQuantized);
    await workbench.problems('all 21 layers of the model are stored quantized already');
    await workbench.screenshot('history-recipe-of-quantized');
    await workbench.activity('Quantlens');
    const form = await workbench.webview('#quantized-already');
    await form.locator('#quantized-already').filter({ hasText: 'nothing to calibrate' }).waitFor();
    assert.ok((await form.locator('#run').getAttribute('disabled')) !== null);
  });

  it('a run is copied, opened, repeated and forgotten', async () => {
    const quantized = () => rows().filter({ hasText: 'Quantize int8' });
    await workbench.contextMenu(quantized(), 'Copy as Markdown');
    const copied = await until('a table is in the clipboard', async () => {
      const text = await workbench.page.evaluate(() => navigator.clipboard.readText());
      return text.startsWith('| Run |') && text;
    });
    assert.match(copied, /\| Quantize int8 \| fashion_mobile\.onnx \| done \|.* dB/);
    await workbench.contextMenu(quantized(), 'Open Output');
    await workbench.tab('fashion_mobile.int8.onnx').waitFor();
    const page = await workbench.webview('#layers th[data-column="quantized:execution"]');
    const row = page.locator('#layers tbody tr[data-key]').first();
    assert.match(await row.innerText(), /int8\.channel.*float △\s+only its weight/s);
    const reason = await row.locator('td span[title]').last().getAttribute('title');
    assert.match(reason ?? '', /\w+ \w+ \w+/, 'the reason is told in words');
    assert.ok(
      await page.locator('html').evaluate(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth),
      'all columns are in sight',
    );
    await workbench.screenshot('history-output');
    assert.match(await page.locator('#headlines').innerText(), /Quantized already\s+21 of 21 layers: int8/);
    const buttons = await page.locator('#toolbar vscode-button').allInnerTexts();
    assert.deepEqual(
      buttons.map((text) => text.trim()),
      ['Compare…', 'Open as Text'],
    );
    await workbench.contextMenu(quantized(), 'Compare with Float');
    await rowsOf(/^Compare/, /^Quantize int8/, /^Calibrate w8a8/);
    const calibrated = rows().filter({ hasText: 'Calibrate w8a8' });
    await opensOnClick();
    await calibrated.hover();
    await calibrated.locator('.action-label[aria-label="Run Again"]').click();
    await rowsOf(/^Calibrate w8a8/, /^Compare/, /^Quantize int8/, /^Calibrate w8a8/);
    await workbench.contextMenu(quantized(), 'Delete');
    await rowsOf(/^Calibrate w8a8/, /^Compare/, /^Calibrate w8a8/);
    await workbench.command('Quantlens: Clear Run History');
    await workbench.dialog('Forget all runs?').locator('.monaco-button').filter({ hasText: 'Clear' }).click();
    await until('the history is empty', async () => (await rows().count()) === 0);
    await workbench.screenshot('history-empty');
  });
});
