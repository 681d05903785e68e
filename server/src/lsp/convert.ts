/** The one place where engine data becomes LSP data: offsets to positions, issues to diagnostics, paths to URIs. */
import * as path from 'node:path';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { type Diagnostic, DiagnosticSeverity, type Range } from 'vscode-languageserver-types';
import { URI } from 'vscode-uri';
import type { Issue, Severity } from '../protocol/issues';
import { textViewScheme } from '../protocol/lsp-ext';
import { documentationUrl } from '../rules/docs';
import { ruleOf } from '../rules/index';
import { reported, sentence } from '../rules/words';

export type Span = readonly [number, number];

export function rangeOf(document: TextDocument, span: Span): Range {
  return { start: document.positionAt(span[0]), end: document.positionAt(span[1]) };
}

const severities: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

/** What code actions need of a diagnostic. */
export interface DiagnosticData {
  readonly layer?: string;
  readonly fixes: readonly string[];
}

/** An issue at a span as a diagnostic with its documentation and what fixes need. */
export function diagnosticOf(document: TextDocument, issue: Issue, span: Span): Diagnostic {
  const data: DiagnosticData = { layer: issue.anchor.layer, fixes: reported(issue).fixes };
  return {
    range: rangeOf(document, span),
    severity: severities[issue.severity],
    source: 'quantlens',
    code: issue.code,
    message: issue.anchor.layer === undefined ? sentence(issue) : `${issue.anchor.layer}: ${sentence(issue)}`,
    data,
    ...(ruleOf(issue.code) ? { codeDescription: { href: documentationUrl(issue.code) } } : {}),
  };
}

/** File path of a `file:` URI, or of the model behind a text view. */
export function pathOf(uri: string): string {
  const parsed = URI.parse(uri);
  return parsed.scheme === textViewScheme ? URI.parse(parsed.query).fsPath : parsed.fsPath;
}

export function uriOf(file: string): string {
  return URI.file(path.resolve(file)).toString();
}

/** URI of the model that a document shows: the binary file behind a text view, else the document itself. */
export function modelUriOf(uri: string): string {
  const parsed = URI.parse(uri);
  return parsed.scheme === textViewScheme ? URI.parse(parsed.query).toString() : uri;
}

/** Address of a model's text view. */
export function textViewUri(modelUri: string): string {
  const parsed = URI.parse(modelUri);
  return URI.from({
    scheme: textViewScheme,
    path: `${parsed.path}.onnxtxt`,
    query: parsed.toString(true),
  }).toString();
}

/** Recipe beside a model: `NAME.quant.json`. */
export function recipePathOf(model: string): string {
  return model.replace(/\.(onnx|onnxtxt|onnxtext|safetensors|gguf)$/i, '').concat('.quant.json');
}

/** Model text that stands between backticks or in table cells: no markup, no command links, one line. */
export function escapeMarkdown(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[\\`*_{}[\]()#+\-.!|<>~&]/g, '\\$&');
}

/** A link that runs a client command; arguments travel as JSON. */
export function commandLink(title: string, command: string, ...args: readonly unknown[]): string {
  return `[${title}](command:${command}?${encodeURIComponent(JSON.stringify(args))})`;
}
