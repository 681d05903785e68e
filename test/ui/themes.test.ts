/** Model editor, calibration panel and layer tree in the six themes of the editor, for a person to look at. */
import assert from 'node:assert/strict';
import { openWorkbench, type ThemeName, type Workbench } from './support';

const themes: readonly ThemeName[] = [
  'Light 2026',
  'Dark 2026',
  'Light Modern',
  'Light High Contrast',
  'Dark High Contrast',
  'Dark Modern',
];

describe('themes', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('show editor, panel and tree side by side', async () => {
    const page = await workbench.openModel('fashion_mobile.onnx');
    await page.locator('#layers .figure.good .number').first().waitFor();
    await workbench.activity('Quantlens');
    await workbench.webview('#run');
    await workbench.page
      .locator('.pane-body .monaco-list-row')
      .filter({ hasText: 'blocks.0.expand' })
      .waitFor();
  });

  it('break no rule of their content security policy', () => {
    assert.deepEqual(
      workbench.consoleLines.filter((line) => /content security policy|refused to/i.test(line)),
      [],
    );
  });

  for (const theme of themes) {
    it(`${theme}: text and signs differ from their ground`, async () => {
      await workbench.theme(theme);
      const page = await workbench.webview('#layers');
      // WCAG 2.2, level AA: 4.5 for text, 3 for signs.
      for (const [selector, least] of [
        ['.figure.good .number', 4.5],
        ['.figure.good .glyph', 3],
        ['.figure.watch .glyph', 3],
        ['#facts dt', 4.5],
      ] as const) {
        const contrast = await page.locator(selector).first().evaluate(contrastOf);
        assert.ok(contrast >= least, `${selector} has contrast ${contrast.toFixed(2)}, below ${least}`);
      }
      await workbench.screenshot(`theme-${theme.toLowerCase().replaceAll(' ', '-')}`);
    });
  }
});

/** Contrast of an element's text with the page behind it (WCAG 2.2: relative luminance); runs in the page. */
function contrastOf(element: Element): number {
  const luminance = (color: string) => {
    const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = getComputedStyle(document.body).getPropertyValue('--vscode-editor-background');
  const probe = document.createElement('span');
  probe.style.color = ground;
  document.body.append(probe);
  const both = [getComputedStyle(element).color, getComputedStyle(probe).color].map(luminance);
  probe.remove();
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}
