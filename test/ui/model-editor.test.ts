/** A model opened from the explorer: facts, findings and the table of layers, by mouse and by keyboard alone. */
import assert from 'node:assert/strict';
import type { FrameLocator, Locator } from 'playwright-core';
import { openWorkbench, until, type Workbench } from './support';

describe('model editor', () => {
  let workbench: Workbench;
  let page: FrameLocator;
  const column = (title: string): Locator => page.locator('#layers thead th').filter({ hasText: title });
  const names = () => page.locator('#layers tbody tr[data-key] th.name span:first-child').allInnerTexts();
  /** Figures of a column in dB, top to bottom. */
  const figures = async (title: string): Promise<readonly number[]> => {
    const heads = await page.locator('#layers thead th').allInnerTexts();
    const index = heads.findIndex((head) => head.startsWith(title));
    assert.ok(index >= 0, `${title} is among ${heads.join(', ')}`);
    const cells = page.locator(`#layers tbody tr[data-key] > :nth-child(${index + 1}) .number`);
    return (await cells.allInnerTexts()).map((text) => Number(/(\d+\.\d) dB/.exec(text)?.[1]));
  };

  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('shows facts, and every layer with numbers and bars', async () => {
    page = await workbench.openModel('fashion_mobile.onnx');
    await page.locator('#layers .figure.good .number').first().waitFor();
    const facts = await page.locator('#facts').innerText();
    assert.match(facts, /ONNX/);
    assert.match(facts, /281 kB/);
    assert.equal((await names()).length, 21);
    await until('all weights are measured', async () => {
      const measured = await figures('int8.channel');
      return measured.length === 21 && measured.every((db) => db > 40);
    });
    assert.deepEqual((await figures('int8.tensor')).slice(0, 3), [42.2, 42.4, 44.2]);
    const bars = page.locator('#layers tbody .bar > span');
    const widths = await bars.evaluateAll((all) => all.map((bar) => bar.getBoundingClientRect().width));
    assert.ok(widths.length >= 4 * 21 && widths.every((width) => width > 5));
    await workbench.screenshot('model-editor');
  });

  it('says what matters first: verdicts, the worst layers, and what is not measured', async () => {
    const said = (await page.locator('#headlines').innerText()).replace(/\s+/g, ' ');
    assert.match(
      said,
      /int8 weights.* worst classifier 42\.6 dB good in all 21 layers.*int4 weights.* worst classifier 17\.3 dB 6 of 21 layers below 20 dB.*not measured yet/,
    );
    const first = await page.locator('#headlines').boundingBox();
    const facts = await page.locator('#facts').boundingBox();
    assert.ok(first && facts && first.y < facts.y);
    await page.locator('#headlines button.worst').first().click();
    await page.locator('tr[data-key="classifier"]:focus').waitFor();
  });

  it('has the menu of a row on Shift+F10 and on the right button', async () => {
    const row = page.locator('#layers tbody tr[data-key="blocks.0.expand"]');
    const items = page.locator('.menu [role=menuitem]');
    await row.focus();
    await workbench.page.keyboard.press('Shift+F10');
    await items.first().waitFor();
    assert.ok((await items.allInnerTexts()).includes('Keep in float'));
    assert.equal(await workbench.page.locator('.monaco-menu').count(), 0);
    await workbench.page.keyboard.press('Escape');
    await row.locator('td').first().click({ button: 'right' });
    await items.first().waitFor();
    await workbench.page.keyboard.press('Escape');
    assert.equal(await items.count(), 0);
  });

  it('shows the columns that fit, the most telling first, and those that are asked for', async () => {
    const heads = () => page.locator('#layers thead th:visible').allInnerTexts();
    const columns = page.locator('#columns');
    const fits = () =>
      page.locator('html').evaluate(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth);
    await workbench.page.keyboard.press('Control+B');
    await workbench.page.setViewportSize({ width: 650, height: 900 });
    await until('the columns fit', async () => /Columns \(\d of 8\)/.test(await columns.innerText()));
    const names = (await heads()).map((text) => text.replace(/\s+/g, ' ').trim());
    assert.deepEqual(names, ['Layer', 'Recipe', 'int8.channel weight', 'int4.channel weight']);
    assert.ok(await fits(), 'it does not scroll sideways');
    await workbench.screenshot('model-editor-narrow');
    await columns.click();
    const boxes = page.locator('.menu [role=menuitemcheckbox]');
    assert.equal(await boxes.count(), 8);
    await boxes.filter({ hasText: 'Recipe' }).click();
    await boxes.filter({ hasText: 'Parameters' }).click();
    await workbench.screenshot('model-editor-columns');
    await workbench.page.keyboard.press('Escape');
    assert.match((await heads()).join(' '), /Parameters/);
    assert.doesNotMatch((await heads()).join(' '), /Recipe/);
    await columns.click();
    await page.locator('.menu [role=menuitem]').filter({ hasText: 'What fits' }).click();
    assert.match((await heads()).join(' '), /Recipe/);
    await workbench.page.setViewportSize({ width: 1440, height: 900 });
    await workbench.page.keyboard.press('Control+B');
    await until('there is room for more', async () => (await heads()).length > 6);
  });

  it('shows findings with code, cause and remedy', async () => {
    const finding = page.locator('.finding[data-code="M21"]');
    assert.match(await finding.innerText(), /stem.*Clip\(0, 6\)/s);
  });

  it('sorts by a column: one way, the other, and not', async () => {
    const inOrder = await names();
    const sort = column('int4.channel').locator('button.sort');
    await sort.click();
    assert.equal(await column('int4.channel').getAttribute('aria-sort'), 'ascending');
    const ascending = await figures('int4.channel');
    assert.deepEqual(
      ascending,
      [...ascending].sort((one, other) => one - other),
    );
    assert.equal((await names())[0], 'classifier');
    await workbench.screenshot('model-editor-sorted');
    await sort.click();
    assert.equal(await column('int4.channel').getAttribute('aria-sort'), 'descending');
    assert.equal((await names()).at(-1), 'classifier');
    await sort.click();
    assert.deepEqual(await names(), inOrder);
  });

  it('is there again after the window was reloaded', async () => {
    await workbench.reload();
    page = await workbench.webview('#layers .figure.good .number');
    assert.equal((await names()).length, 21);
  });

  it('is usable with the keyboard alone', async () => {
    const keys = workbench.page.keyboard;
    await keys.press('Control+P');
    await workbench.answer('fashion_mobile.onnx');
    /** Presses Tab until the focused element is one that a selector takes. */
    const tabTo = (selector: string) =>
      until(`Tab reaches ${selector}`, async () => {
        await keys.press('Tab');
        return (await page.locator(`${selector}:focus`).count()) > 0;
      });
    await tabTo('th[data-column="params"] button.sort');
    await keys.press('Enter');
    await page.locator('th[data-column="params"][aria-sort="descending"] button:focus').waitFor();
    await tabTo('tr[data-key]');
    await keys.press('ArrowDown');
    const row = page.locator('tr[data-key]:focus');
    assert.equal(await row.getAttribute('data-key'), (await names())[1]);
    await keys.press('Enter');
    await page.locator('.menu [role=menuitem]:focus').waitFor();
    const items = await page.locator('.menu [role=menuitem]').allInnerTexts();
    assert.deepEqual(items.slice(0, 3), ['Quantize to int4', 'Quantize to int8', 'Keep in float']);
    await workbench.screenshot('model-editor-keyboard');
    await keys.press('Escape');
    assert.equal(await page.locator('.menu').count(), 0);
    assert.equal(await row.count(), 1);
    await keys.press('Enter');
    await keys.press('End');
    await keys.press('Enter');
    const text = workbench.editor('fashion_mobile.onnx.onnxtxt');
    await until('the layer is shown in the text', async () => /= (Conv|Gemm)/.test(await text.text()));
  });

  it('keeps the table where it is read when findings come after a run', async () => {
    await workbench.tab('fashion_mobile.onnx').first().click();
    page = await workbench.webview('#layers .figure.good .number');
    await workbench.activity('Quantlens');
    const panel = await workbench.webview('#form');
    const before = await page.locator('#findings').innerText();
    await panel.locator('#run:not([disabled])').click();
    const row = page.locator('#layers tbody tr[data-key="blocks.1.project"]');
    await row.hover();
    const top = () => row.evaluate((element) => element.getBoundingClientRect().top);
    const began = await top();
    await panel.locator('#result h2').waitFor({ timeout: 40_000 });
    await until(
      'other findings than before',
      async () => (await page.locator('#findings').innerText()) !== before,
    );
    const moved = Math.abs((await top()) - began);
    assert.ok(moved <= 1, `the row moved by ${moved} px`);
    await workbench.screenshot('model-editor-findings-after');
    assert.match(
      await page.locator('#layers thead').innerText(),
      /w8a8\s+cumulative.*int4\.group32\s+weight/s,
    );
    const fits = await page.locator('html').evaluate((html) => [html.scrollWidth, html.clientWidth] as const);
    assert.ok(fits[0] <= fits[1], `it scrolls sideways: ${fits.join(' > ')}`);
  });
});
