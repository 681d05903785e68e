/** Float against quantized: the compare view after quantizing, its chart, table twin and one layer close up. */
import assert from 'node:assert/strict';
import { access, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FrameLocator, Locator } from 'playwright-core';
import { encodeModelBytes } from '../../server/src/engine/format/onnx-encode';
import { deepNets } from '../fixtures/deep-nets';
import { openWorkbench, type ThemeName, until, type Workbench } from './support';

const written = 'fashion_mobile.w8a8.onnx';

describe('compare view', () => {
  let workbench: Workbench;
  let page: FrameLocator;
  const rows = (): Locator => page.locator('#bars .chart-row');
  const names = () => rows().evaluateAll((all) => all.map((row) => row.getAttribute('data-key') ?? ''));
  const clipboard = () => workbench.page.evaluate(() => navigator.clipboard.readText());

  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('opens after quantizing, with a bar and a row for every layer', async () => {
    const model = await workbench.openModel('fashion_mobile.onnx');
    await model.locator('#quantize-int8').click();
    await workbench.toast(written).waitFor({ timeout: 50_000 });
    await workbench.clickToast(written, 'Compare');
    page = await workbench.webview('#bars .chart-row');
    await until('the comparison is done', async () => page.locator('#live').isHidden());
    assert.equal((await names()).length, 21);
    const facts = await page.locator('#facts').innerText();
    assert.match(facts, /Output SQNR\s+\d+\.\d dB/);
    assert.match(facts, /281 kB → \d+\.?\d* kB/);
    assert.match(facts, /Layers compared\s+21/);
    assert.equal(await page.locator('#layers tbody tr[data-key]').count(), 21);
    const widths = await page
      .locator('#bars .chart-row rect.bar-1')
      .evaluateAll((all) => all.map((bar) => bar.getBoundingClientRect().width));
    assert.equal(widths.length, 21);
    assert.ok(widths.every((width) => width > 20));
    await workbench.screenshot('compare');
  });

  it('stands on the samples of the recipe, and on those chosen in the page', async () => {
    const facts = () => page.locator('#facts').innerText();
    assert.match(await facts(), /Compared on\s+train128_x\.npy, 128 samples/);
    const outputOn = async (data: RegExp) => {
      await until(`compared on ${data}`, async () => data.test(await facts()));
      await until('the comparison is done', async () => page.locator('#live').isHidden());
      return /Output SQNR\s+(-?\d+\.\d) dB/.exec(await facts())?.[1];
    };
    const known = await outputOn(/128 samples/);
    const { keyboard } = workbench.page;
    await page.locator('#choose-data').focus();
    await keyboard.press('Enter');
    await page.locator('#data-form').waitFor();
    assert.match(await page.locator('#source-path').innerText(), /data\/train128_x\.npy$/);
    const field = (name: string) => page.locator(`#data-form vscode-text-field#${name} input`);
    await page.locator('#preprocessing summary').click();
    assert.equal(await field('scale').inputValue(), '1/255');
    assert.equal(await field('mean').inputValue(), '0.286');
    await field('mean').fill('grey');
    await keyboard.press('Enter');
    assert.match(await page.locator('#preprocessing .problem:not(:empty)').innerText(), /One number/);
    await workbench.screenshot('compare-data');
    // Pixels that nobody scales: other inputs, other figures.
    await field('scale').fill('1');
    await field('mean').fill('100');
    await field('samples').fill('8');
    await keyboard.press('Enter');
    assert.equal(await page.locator('#data-form').isVisible(), false);
    assert.notEqual(await outputOn(/train128_x\.npy, 8 samples/), known);
    // It begins with what is compared on, and Escape leaves all as it is.
    await page.locator('#choose-data').click();
    assert.equal(await field('mean').inputValue(), '100');
    await keyboard.press('Escape');
    await page.locator('#choose-data:focus').waitFor();
    assert.equal(await page.locator('#data-form').isVisible(), false);
  });

  it('says loudly that no data was involved', async () => {
    await page.locator('#choose-data').click();
    await page.locator('vscode-dropdown#data').click();
    await page.locator('vscode-dropdown#data vscode-option').filter({ hasText: 'None' }).click();
    await page.locator('#no-data').waitFor();
    await page.locator('#compare-on').click();
    await page.locator('#notes').getByText('made-up numbers').waitFor();
    await until('the comparison is done', async () => page.locator('#live').isHidden());
  });

  it('puts the worst layer first, and filters', async () => {
    const inOrder = await names();
    await page.locator('#order').selectOption('cumulative');
    const values = await page.locator('#bars .chart-value .number').allInnerTexts();
    const figures = values.map((text) => Number.parseFloat(text));
    assert.deepEqual(
      figures,
      [...figures].sort((one, other) => one - other),
    );
    await page.locator('#filter').fill('expand');
    await until('only some layers are left', async () =>
      (await names()).every((name) => name.includes('expand')),
    );
    assert.equal(await page.locator('#layers tbody tr[data-key]').count(), (await names()).length);
    await page.locator('#filter').fill('');
    await page.locator('#order').selectOption('graph');
    assert.deepEqual(await names(), inOrder);
  });

  it('tells all metrics of a layer when pointed at', async () => {
    await rows().nth(3).hover();
    const tip = page.locator('#bars-tip');
    await tip.waitFor();
    assert.match(
      await tip.innerText(),
      /Local\s+\d+\.\d dB.*Cumulative\s+\d+\.\d dB.*MSE\s+\S+.*Norm ratio\s+\S+/s,
    );
    await workbench.screenshot('compare-tooltip');
  });

  it('shows distributions and worst channels of a layer', async () => {
    await rows().filter({ hasText: 'blocks.0.depthwise' }).first().click();
    await page.locator('#histogram-weight').waitFor();
    await page.locator('#histogram-output').waitFor();
    assert.match(await page.locator('#detail h2').innerText(), /blocks\.0\.depthwise/);
    assert.ok((await page.locator('#channels tbody tr[data-key]').count()) >= 8);
    const summary = await page.locator('#histogram-weight svg').getAttribute('aria-label');
    assert.match(summary ?? '', /Weight between -?[\d.]+ and [\d.]+ in 64 bins/);
    await page.locator('#histogram-weight summary').click();
    assert.equal(await page.locator('#histogram-weight tbody tr').count(), 64);
    await page.locator('#histogram-weight summary').click();
    await page.locator('#detail').evaluate((element) => element.scrollTo({ top: 0 }));
    await workbench.screenshot('compare-layer');
  });

  it('copies the table as it is sorted, in full precision', async () => {
    await page.locator('#layers th[data-column="cumulative"] button').click();
    await page.locator('#table-head .copy-table').click();
    await page.locator('.menu [role=menuitem]').filter({ hasText: 'CSV' }).click();
    await page.locator('#table-head [role=status]').filter({ hasText: '21 rows copied' }).waitFor();
    const csv = await until('the clipboard has the table', async () => {
      const text = await clipboard();
      return text.startsWith('Layer,') && text;
    });
    const [head = '', ...lines] = csv.trimEnd().split('\r\n');
    assert.match(head, /^Layer,Op,Local \(dB\),Cumulative \(dB\)/);
    assert.equal(lines.length, 21);
    const column = head.split(',').indexOf('Cumulative (dB)');
    const figures = lines.map((line) => Number(line.split(',')[column]));
    assert.deepEqual(
      figures,
      [...figures].sort((one, other) => one - other),
    );
    assert.match(String(figures[0]), /\.\d{4,}/);
    await page.locator('#table-head .copy-table').click();
    await page.locator('.menu [role=menuitem]').filter({ hasText: 'Markdown' }).click();
    await until('the clipboard has Markdown', async () => (await clipboard()).startsWith('| Layer |'));
  });

  it('is usable with the keyboard alone', async () => {
    const keys = workbench.page.keyboard;
    await page.locator('#filter').focus();
    await until('Tab reaches the chart', async () => {
      await keys.press('Tab');
      return (await page.locator('#bars-rows:focus').count()) > 0;
    });
    await keys.press('Home');
    await keys.press('ArrowDown');
    const current = page.locator('#bars .chart-row[aria-selected=true]');
    assert.equal(await current.getAttribute('data-key'), (await names())[1]);
    assert.match(
      (await current.getAttribute('aria-label')) ?? '',
      /Local: \d+\.\d dB, \w+; Cumulative: \d+\.\d dB/,
    );
    await keys.press('Enter');
    const second = (await names())[1] ?? '';
    await page.locator('#detail h2').filter({ hasText: second }).waitFor();
    await page.locator('#histogram-output').waitFor();
  });

  it('writes what shall become of a layer into the recipe', async () => {
    await page.locator('#detail .actions button').filter({ hasText: 'Keep in float' }).click();
    const recipe = path.join(workbench.folder, 'fashion_mobile.quant.json');
    const editor = workbench.editor('fashion_mobile.quant.json');
    await until('the recipe shows the rule', async () => /"keep": ?"float"/.test(await editor.text()));
    await access(recipe);
    await workbench.tab('↔').click();
    page = await workbench.webview('#bars .chart-row');
  });

  it('comes back with the window, the chosen layer still open', async () => {
    await workbench.reload();
    page = await workbench.webview('#bars .chart-row');
    await page.locator('#histogram-output').waitFor();
    assert.equal((await names()).length, 21);
  });

  it('fits a narrow column', async () => {
    const { page: editor } = workbench;
    await editor.setViewportSize({ width: 720, height: 900 });
    const fits = await until('the page knows its width', async () =>
      page
        .locator('body')
        .evaluate(
          () =>
            window.innerWidth < 520 &&
            [...document.querySelectorAll('#overview, #top')].map((one) => one.scrollWidth - one.clientWidth),
        ),
    );
    await workbench.screenshot('compare-narrow');
    await page.locator('#overview').evaluate((element) => element.scrollIntoView());
    await workbench.screenshot('compare-narrow-chart');
    await editor.setViewportSize({ width: 1440, height: 900 });
    assert.ok(
      fits.every((overflow) => overflow <= 1),
      `${fits}`,
    );
  });

  const themes: readonly ThemeName[] = [
    'Light 2026',
    'Light High Contrast',
    'Dark High Contrast',
    'Dark Modern',
  ];
  for (const theme of themes) {
    it(`is readable in ${theme}`, async () => {
      await workbench.theme(theme);
      await workbench.screenshot(`compare-${theme.toLowerCase().replaceAll(' ', '-')}`);
    });
  }

  it('breaks no rule of its content security policy', () => {
    const lines = workbench.consoleLines.filter((line) => /content security policy|refused to/i.test(line));
    assert.deepEqual(lines, []);
  });

  it('still compares as text', async () => {
    await page.locator('#as-text').click();
    await workbench.page.locator('.monaco-diff-editor').first().waitFor();
    await workbench.screenshot('compare-as-text');
  });

  it('compares two models that are selected in the explorer, the float one first', async () => {
    await workbench.showExplorer();
    await workbench.explorerRow('fashion_mobile.onnx').click();
    // Its editor opens and takes the selection with it: the second is added once that is over.
    const isSelected = async (row: Locator) => /\bselected\b/.test((await row.getAttribute('class')) ?? '');
    const select = () =>
      until('both are selected', async () => {
        const both = [workbench.explorerRow('fashion_mobile.onnx'), workbench.explorerRow(written)];
        for (const row of both) if (!(await isSelected(row))) await row.click({ modifiers: ['Control'] });
        return (await Promise.all(both.map(isSelected))).every((selected) => selected);
      });
    const asksForAnother = workbench.page.locator('.quick-input-list .monaco-list-row').first();
    await until('the two are compared, not one with another that is asked for', async () => {
      await select();
      await workbench.contextMenu(workbench.explorerRow(written), 'Compare Models');
      const asked = await asksForAnother.waitFor({ timeout: 2000 }).then(
        () => true,
        () => false,
      );
      if (asked) await workbench.page.keyboard.press('Escape');
      return !asked;
    });
    page = await workbench.webview('#bars .chart-row');
    assert.match(
      await page.locator('h1').innerText(),
      /fashion_mobile\.onnx against fashion_mobile\.w8a8\.onnx/,
    );
    assert.ok((await readFile(path.join(workbench.folder, written))).length > 10_000);
  });
});

describe('compare view, restricted', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ trusted: false });
  });
  after(() => workbench.close());

  it('says why nothing runs and how to change that', async () => {
    await workbench.openModel('fashion_mobile.onnx');
    await workbench.command('Quantlens: Compare Models…');
    const notice = workbench.toast('Restricted Mode');
    await notice.waitFor();
    await notice.getByText('Manage Workspace Trust').waitFor();
    assert.equal(await workbench.page.locator('.quick-input-widget').isVisible(), false);
    await workbench.screenshot('compare-restricted');
  });
});

describe('sensitivity chart', () => {
  let workbench: Workbench;
  let page: FrameLocator;
  const rows = (): Locator => page.locator('#sensitivity .chart-row');
  const clipboard = () => workbench.page.evaluate(() => navigator.clipboard.readText());

  before(async () => {
    workbench = await openWorkbench();
    page = await workbench.openModel('fashion_mobile.onnx');
    await page.locator('#layers .figure.good .number').first().waitFor();
  });
  after(() => workbench.close());

  it('shows the chosen figures of every layer, told apart by shape', async () => {
    await page.locator('#show-chart').click();
    await rows().first().waitFor();
    assert.equal(await rows().count(), 21);
    assert.equal(await page.locator('#layers').isVisible(), false);
    assert.equal(await page.locator('#chart-columns input:checked').count(), 3);
    const shapes = await rows()
      .first()
      .locator('.mark')
      .evaluateAll((all) => all.map((one) => one.getAttribute('points') ?? one.tagName));
    assert.equal(new Set(shapes).size, 3);
    const kinds = /^(int8|int4)\.\w+ weight$/;
    const legend = await page.locator('#sensitivity .chart-legend li').allInnerTexts();
    const boxes = await page.locator('#chart-columns label').allInnerTexts();
    for (const text of [...legend, ...boxes]) assert.match(text.trim(), kinds);
    assert.match((await rows().first().getAttribute('aria-label')) ?? '', /int8\.tensor weight: \d+\.\d dB/);
    await workbench.screenshot('sensitivity');
  });

  it('changes with the columns, the order and the filter', async () => {
    await page.locator('#chart-columns label').filter({ hasText: 'int4.group32' }).locator('input').check();
    await page.locator('#chart-columns label').filter({ hasText: 'int8.tensor' }).locator('input').uncheck();
    assert.equal(await page.locator('#sensitivity .chart-legend li').count(), 3);
    await page.locator('#chart-order').selectOption('worst');
    assert.equal(await rows().first().getAttribute('data-key'), 'classifier');
    await page.locator('#filter').fill('depthwise');
    await until('only these are left', async () => (await rows().count()) === 6);
    await page.locator('#filter').fill('');
  });

  it('shows the layer of the chart in the table, and is remembered', async () => {
    await rows().filter({ hasText: 'blocks.5.project' }).click();
    await page.locator('.menu [role=menuitem]').first().waitFor();
    await workbench.page.keyboard.press('Escape');
    await page.locator('#show-table').click();
    const row = page.locator('#layers tr[data-key="blocks.5.project"]');
    assert.equal(await row.getAttribute('tabindex'), '0');
    await page.locator('#show-chart').click();
    await workbench.reload();
    page = await workbench.webview('#sensitivity .chart-row');
    assert.equal(await page.locator('#chart-order').inputValue(), 'worst');
    assert.equal(await page.locator('#chart-columns input:checked').count(), 3);
  });

  it('keeps names and buttons in reach while many columns scroll', async () => {
    const panel = await workbench.webview('#top').catch(() => page);
    await workbench.command('Quantlens: Calibrate…');
    const form = await workbench.webview('#run');
    await form.locator('#run').click();
    await form.locator('#result h2').filter({ hasText: 'Calibrated' }).waitFor({ timeout: 40_000 });
    await form.locator('.copy-table').click();
    await form.locator('.menu [role=menuitem]').filter({ hasText: 'CSV' }).click();
    await until("the clipboard has the panel's table", async () =>
      /^Layer,w8a8 Local \(dB\)/.test(await clipboard()),
    );
    await workbench.screenshot('sensitivity-measured');
    await panel.locator('#show-table').click();
    await panel.locator('#layers th[data-column="cumulative:w8a8"]').waitFor();
    await panel
      .locator('#layers .row-menu')
      .first()
      .evaluate(() => globalThis.scrollTo({ left: 5000 }));
    const box = await panel.locator('#layers .row-menu').first().boundingBox();
    const tree = await panel.locator('#layers .layer-name').first().boundingBox();
    await workbench.screenshot('model-editor-scrolled');
    assert.ok(box && box.x > 0 && box.x < 1440 && tree && tree.width > 20);
  });

  it('copies the layer table in full precision by Ctrl+C', async () => {
    const row = page.locator('#layers tbody tr[data-key]').first();
    await row.focus();
    await workbench.page.keyboard.press('Control+C');
    const csv = await until('the clipboard has the table', async () => {
      const text = await clipboard();
      return text.startsWith('Layer,Findings,') && text;
    });
    assert.equal(csv.trimEnd().split('\r\n').length, 22);
    assert.match(csv, /int8\.tensor weight \(dB\)/);
    assert.match(csv, /w8a8 cumulative \(dB\)/);
  });
});

describe('compare view of a deep network', () => {
  const layers = 1700;
  let workbench: Workbench;
  let page: FrameLocator;

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        const { float, quantized } = deepNets(layers);
        for (const [name, proto] of [
          ['deep.onnx', float],
          ['deep.int8.onnx', quantized],
        ] as const) {
          await writeFile(path.join(folder, name), encodeModelBytes(proto).value ?? new Uint8Array());
        }
      },
    });
  });
  after(() => workbench.close());

  it('shows the first layers long before the last, and keeps them when cancelled', async () => {
    await workbench.openModel('deep.onnx');
    await workbench.command('Quantlens: Compare Models…');
    await workbench.pick('deep.int8.onnx');
    page = await workbench.webview('#bars .chart-row', 50);
    assert.match(await page.locator('#progress-text').innerText(), /comparing: \d+\/1700 layers/);
    await workbench.screenshot('compare-deep-running');
    await page.locator('#cancel').click();
    await page.locator('#notes .banner').filter({ hasText: 'Cancelled' }).waitFor();
    const compared = await page.locator('#layer-count').innerText();
    assert.ok(Number.parseInt(compared, 10) >= 100, compared);
    assert.ok(Number.parseInt(compared, 10) < layers, compared);
  });

  it('makes elements only for rows near the screen', async () => {
    assert.ok((await page.locator('#bars .chart-row').count()) < 250);
    await page.locator('#bars-rows').focus();
    await workbench.page.keyboard.press('End');
    const last = page.locator('#bars .chart-row[aria-selected=true]');
    assert.equal(await last.getAttribute('aria-posinset'), await last.getAttribute('aria-setsize'));
  });
});
