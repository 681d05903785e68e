/**
 * The HTML of a webview: an empty page with its script, its styles and its translated words. What the page shows
 * comes by messages and is set as text, never as HTML.
 */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { PanelWords } from '../../server/src/protocol/panel';

export interface PageOptions {
  /** Name of the page: its script and style sheet are `dist/webview/NAME.js` and `.css`. */
  readonly name: 'model' | 'calibration';
  readonly title: string;
  readonly words: PanelWords;
  /** Further values for the page, as data attributes of its body. */
  readonly data?: Readonly<Record<string, string>>;
}

/** Sets up a webview and returns its page. */
export function preparePage(webview: vscode.Webview, extension: vscode.Uri, options: PageOptions): string {
  const folder = vscode.Uri.joinPath(extension, 'dist', 'webview');
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  const address = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString();
  const nonce = randomBytes(16).toString('base64');
  // The toolkit's components write style attributes and sheets of their own, hence 'unsafe-inline' for styles.
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'unsafe-inline'`,
    `font-src ${webview.cspSource}`,
  ].join('; ');
  const data = { ...options.data, words: JSON.stringify(options.words) };
  const attributes = Object.entries(data)
    .map(([name, value]) => `data-${name}="${escapeAttribute(value)}"`)
    .join(' ');
  return `<!DOCTYPE html>
<html lang="${escapeAttribute(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeAttribute(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${address('theme.css')}">
<link rel="stylesheet" href="${address(`${options.name}.css`)}">
<title>${escapeAttribute(options.title)}</title>
</head>
<body class="page-${options.name}" ${attributes}>
<main id="app"></main>
<script type="module" nonce="${nonce}" src="${address(`${options.name}.js`)}"></script>
</body>
</html>`;
}

/** Text that may stand between double quotes, and anywhere else, in HTML. */
export function escapeAttribute(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
