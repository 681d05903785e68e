/** Sets up a webview: what it may load, and its page. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { PanelWords } from '../../server/src/protocol/panel';
import { pageHtml } from './webview-html';

export interface PageOptions {
  /** Name of the page: its script and style sheet are `dist/webview/NAME.js` and `.css`. */
  readonly name: 'model' | 'calibration' | 'compare';
  readonly title: string;
  readonly words: PanelWords;
  /** Further values for the page, as data attributes of its body. */
  readonly data?: Readonly<Record<string, string>>;
}

/** Allows a webview its scripts and returns its page. */
export function preparePage(webview: vscode.Webview, extension: vscode.Uri, options: PageOptions): string {
  const folder = vscode.Uri.joinPath(extension, 'dist', 'webview');
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  const address = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString();
  return pageHtml({
    name: options.name,
    title: options.title,
    language: vscode.env.language,
    source: webview.cspSource,
    nonce: randomBytes(16).toString('base64'),
    script: address(`${options.name}.js`),
    styles: ['theme', 'layers', options.name].map((style) => address(`${style}.css`)),
    data: { ...options.data, words: JSON.stringify(options.words) },
  });
}
