/** The text of a webview's page. No vscode in here, so that a test can read what comes out. */

export interface PageParts {
  /** Name of the page, as class of its body. */
  readonly name: string;
  readonly title: string;
  /** BCP 47. */
  readonly language: string;
  /** Where styles and fonts may come from, as the editor names it. */
  readonly source: string;
  readonly nonce: string;
  readonly script: string;
  readonly styles: readonly string[];
  /** Values for the page, as data attributes of its body. */
  readonly data: Readonly<Record<string, string>>;
}

/** An empty page with its script and styles; what it shows comes by messages and is set as text, never as HTML. */
export function pageHtml(parts: PageParts): string {
  // The toolkit's components write style attributes and sheets of their own, hence 'unsafe-inline' for styles.
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${parts.nonce}'`,
    `style-src ${parts.source} 'unsafe-inline'`,
    `font-src ${parts.source}`,
  ].join('; ');
  const data = Object.entries(parts.data).map(([name, value]) => `data-${name}="${escapeHtml(value)}"`);
  return `<!DOCTYPE html>
<html lang="${escapeHtml(parts.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${parts.styles.map((style) => `<link rel="stylesheet" href="${escapeHtml(style)}">`).join('\n')}
<title>${escapeHtml(parts.title)}</title>
</head>
<body class="page-${escapeHtml(parts.name)}" ${data.join(' ')}>
<main id="app"></main>
<script type="module" nonce="${escapeHtml(parts.nonce)}" src="${escapeHtml(parts.script)}"></script>
</body>
</html>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text that may stand between quotes, and anywhere else, in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
