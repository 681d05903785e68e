/** What if: asked in the model's page, in its text, and of a file that holds weights alone; and the output effect. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { openWorkbench, until, type Workbench } from './support';

describe('what if', () => {
  let workbench: Workbench;
  let page: FrameLocator;
  const block = () => page.locator('#what-if');
  const result = () => block().locator('#what-if-result');
  const decibels = async () => Number(/(\d+\.\d) dB/.exec(await result().innerText())?.[1] ?? Number.NaN);
  const answered = (format: string) =>
    until(`an answer for ${format}`, async () => {
      const text = await result().innerText();
      return text.startsWith(format) && / dB/.test(text);
    });
  const openBlock = async (layer: string) => {
    const row = page.locator(`#layers tbody tr[data-key="${layer}"]`);
    await row.focus();
    await workbench.page.keyboard.press('Enter');
    await page.locator('.menu [role=menuitem]').filter({ hasText: 'What If…' }).click();
    await block().waitFor();
  };

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        await writeFile(path.join(folder, 'weights.safetensors'), safetensors());
      },
    });
  });
  after(() => workbench.close());

  it('answers in the model page while the slider moves, by keyboard alone', async () => {
    page = await workbench.openModel('fashion_mobile.onnx');
    await page.locator('#layers .figure.good .number').first().waitFor();
    await openBlock('classifier');
    assert.equal(await block().getAttribute('aria-label'), 'What if: classifier');
    await answered('int4.channel');
    const atFour = await decibels();
    const slider = block().locator('#what-if-bits');
    await slider.focus();
    await workbench.page.keyboard.press('ArrowRight');
    await answered('int5.channel');
    const atFive = await decibels();
    assert.ok(atFive > atFour + 4 && atFive < atFour + 8, `${atFour} → ${atFive} dB`);
    assert.equal(await slider.getAttribute('aria-valuetext'), '5 bits');
    await block().locator('#what-if-granularity').selectOption('group');
    await block().locator('#what-if-group').selectOption('64');
    await answered('int5.group64');
    await block().locator('#what-if-asymmetric').check();
    await answered('int5.group64.asym');
    await workbench.screenshot('what-if-block');
    const times = await answerTimes(page);
    console.log(`      input to figure: ${times.map((time) => `${time.toFixed(0)} ms`).join(', ')}`);
    await block().locator('#what-if-kind').selectOption('nf4');
    await answered('nf4');
    assert.equal(await block().locator('#what-if-apply').isDisabled(), true);
    assert.match(await block().locator('#what-if-reason').innerText(), /nf4/);
    await workbench.screenshot('what-if-other-format');
  });

  it('puts the choice into the recipe and gives the focus back', async () => {
    await block().locator('#what-if-kind').selectOption('integer');
    await block().locator('#what-if-asymmetric').uncheck();
    await block().locator('#what-if-granularity').selectOption('channel');
    await block().locator('#what-if-bits').fill('4');
    await answered('int4.channel');
    await block().locator('#what-if-apply').click();
    const recipe = workbench.editor('fashion_mobile.quant.json');
    await until('the recipe has the rule', async () =>
      /"classifier"[^}]*"int4\.channel"/.test(await recipe.text()),
    );
    await workbench.screenshot('what-if-recipe');
    await workbench.page.keyboard.press('Control+Z');
    await workbench.tab('fashion_mobile.onnx').click();
    await block().locator('#what-if-close').click();
    await page.locator('#layers tbody tr[data-key="classifier"]:focus').waitFor();
    assert.equal(await block().isHidden(), true);
  });

  it('shows a table in the hover of the text and a list of formats from there', async () => {
    await workbench.command('Quantlens: Open as Text');
    const text = workbench.editor('fashion_mobile.onnx.onnxtxt');
    await text.reveal('= Conv');
    const said = await text.hover('Conv', (shown) => shown.includes('What if: SQNR'));
    assert.match(said, /int5/);
    await workbench.screenshot('what-if-hover');
    await text.click('Conv');
    await workbench.command('Quantlens: What If…');
    const input = workbench.page.locator('.quick-input-widget .quick-input-box input');
    await until('figures are listed', async () => {
      const rows = await workbench.quickRows().allInnerTexts();
      return rows.some((row) => /int8\.channel[\s\S]* dB/.test(row));
    });
    await workbench.screenshot('what-if-list');
    await input.fill('int5.group64.asym');
    await until('the typed format is measured', async () => {
      const rows = await workbench.quickRows().allInnerTexts();
      return rows.some((row) => /int5\.group64\.asym[\s\S]* dB/.test(row));
    });
    await workbench.screenshot('what-if-typed');
    await workbench.page.keyboard.press('Escape');
  });

  it('measures the output effect, estimates first, and every surface has it', async () => {
    await workbench.tab('fashion_mobile.onnx').first().click();
    page = await workbench.webview('#output-effect');
    await page.locator('#output-effect').click();
    const cells = page.locator('#layers td.figure-column .figure');
    const head = page.locator('#layers thead th').filter({ hasText: 'output effect' });
    await head.waitFor({ timeout: 40_000 });
    const estimated = await page.locator('#layers .figure.estimated').count();
    await workbench.screenshot('output-effect-running');
    console.log(`      estimated when first seen: ${estimated} of ${await cells.count()} figures`);
    await until(
      'all are measured',
      async () =>
        (await page.locator('#layers .figure.estimated').count()) === 0 &&
        (await page.locator('.banner vscode-progress-ring').count()) === 0,
      50,
    );
    await workbench.screenshot('output-effect-done');
    assert.ok((await cells.count()) > 0);
  });

  it('says on a file of weights why nothing can be run, and answers what if', async () => {
    page = await workbench.openModel('weights.safetensors');
    await page.locator('#layers .figure .number').filter({ hasText: 'dB' }).first().waitFor();
    for (const id of ['calibrate', 'quantize-int8', 'quantize-int4', 'output-effect']) {
      const button = page.locator(`#${id}`);
      assert.equal(await button.getAttribute('aria-disabled'), 'true', id);
      assert.match((await button.getAttribute('title')) ?? '', /without a graph/);
    }
    assert.match(await page.locator('.banner.plain').innerText(), /weights without a graph/);
    await openBlock('proj');
    await block().locator('#what-if-kind').selectOption('mxfp4');
    await answered('mxfp4');
    assert.equal(await block().locator('#what-if-apply').isDisabled(), true);
    await workbench.screenshot('what-if-safetensors');
  });
});

/** Milliseconds from a change of the bit width and group size to the new figure, painted. */
async function answerTimes(page: FrameLocator): Promise<readonly number[]> {
  return page.locator('body').evaluate(async () => {
    const group = document.querySelector<HTMLSelectElement>('#what-if-group');
    const shown = document.querySelector('#what-if-result');
    const times: number[] = [];
    for (const size of ['32', '128', '256', '16']) {
      if (!group || !shown) return [];
      const began = performance.now();
      group.value = size;
      group.dispatchEvent(new Event('input', { bubbles: true }));
      while (!(shown.textContent?.includes(`group${size}`) && / dB/.test(shown.textContent)))
        await new Promise((resolve) => requestAnimationFrame(resolve));
      times.push(performance.now() - began);
    }
    return times;
  });
}

/** Two float matrices with seeded values. */
function safetensors(): Uint8Array {
  const rows = 64;
  const columns = 256;
  const values = new Float32Array(2 * rows * columns).map((_, at) => Math.sin(at * 12.9898) * Math.cos(at));
  const size = values.byteLength / 2;
  const entry = (from: number) => ({
    dtype: 'F32',
    shape: [rows, columns],
    data_offsets: [from, from + size],
  });
  const header = new TextEncoder().encode(
    JSON.stringify({ 'proj.weight': entry(0), 'out.weight': entry(size) }).padEnd(256),
  );
  const file = new Uint8Array(8 + header.length + values.byteLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  file.set(new Uint8Array(values.buffer), 8 + header.length);
  return file;
}
