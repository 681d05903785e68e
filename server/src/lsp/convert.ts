/** The one place where engine data becomes LSP data: offsets to positions, issues to diagnostics, paths to URIs. */
import * as path from 'node:path';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import {
  type Diagnostic,
  type DiagnosticRelatedInformation,
  DiagnosticSeverity,
  type Range,
} from 'vscode-languageserver-types';
import { URI } from 'vscode-uri';
import type { Issue, Severity } from '../protocol/issues';
import { textViewScheme } from '../protocol/lsp-ext';
import { documentationUrl, isDocumented } from '../rules/docs';
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
  /** What stands here should most likely read so. */
  readonly replacement?: string;
}

/** An issue at a span as a diagnostic with its documentation, further places and what fixes need. */
export function diagnosticOf(
  document: TextDocument,
  issue: Issue,
  span: Span,
  related: readonly DiagnosticRelatedInformation[] = [],
): Diagnostic {
  const { layer } = issue.anchor;
  const replacement = issue.code === 'R01' || issue.code === 'recipe-value' ? issue.facts.nearest : undefined;
  const data: DiagnosticData = { layer, fixes: reported(issue).fixes, replacement };
  return {
    range: rangeOf(document, span),
    severity: severities[issue.severity],
    source: 'quantlens',
    code: issue.code,
    message: layer === undefined ? sentence(issue) : `${label(layer)}: ${sentence(issue)}`,
    data,
    ...(related.length > 0 ? { relatedInformation: [...related] } : {}),
    ...(isDocumented(issue.code) ? { codeDescription: { href: documentationUrl(issue.code) } } : {}),
  };
}

/** Path of the file that a document shows: itself, or the model behind a text view; undefined for other schemes. */
export function fileOf(uri: string): string | undefined {
  const parsed = URI.parse(uri);
  const file = parsed.scheme === textViewScheme ? URI.parse(parsed.query) : parsed;
  // A path from elsewhere may hold what no file system call takes.
  return file.scheme === 'file' && !file.fsPath.includes('\0') ? file.fsPath : undefined;
}

/** Folders of a workspace, from what an editor says when it starts the server. */
export function foldersOf({
  workspaceFolders,
  rootUri,
}: {
  readonly workspaceFolders?: readonly { readonly uri: string }[] | null;
  readonly rootUri?: string | null;
}): readonly string[] {
  const uris = workspaceFolders?.map(({ uri }) => uri) ?? (rootUri ? [rootUri] : []);
  return uris.flatMap((uri) => fileOf(uri) ?? []);
}

/** Globs of `files.exclude` that are switched on, from the editor's section `files`. */
export function excludedBy(files: unknown): readonly string[] {
  const exclude: unknown =
    typeof files === 'object' && files !== null && 'exclude' in files ? files.exclude : {};
  if (typeof exclude !== 'object' || exclude === null) return [];
  return Object.entries(exclude).flatMap(([glob, on]: [string, unknown]) => (on === true ? [glob] : []));
}

/** The same for requests about a model; an address that is no file names none that exists. */
export function pathOf(uri: string): string {
  return fileOf(uri) ?? '';
}

export function uriOf(file: string): string {
  return URI.file(path.resolve(file)).toString();
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
  return model
    .replace(/\.(onnx|onnxtxt|onnxtext|safetensors(\.index\.json)?|gguf)$/i, '')
    .concat('.quant.json');
}

/** Names from model files as markdown shows them: one line, no markup, links, icons or hidden directions. */
export function escapeMarkdown(text: string): string {
  return oneLine(text)
    .replace(/[\\`*_{}[\]()<>#+!|~&:@$]/g, '\\$&')
    .replace(/\b(www)\./gi, '$1\\.');
}

/** Names from model files in titles and messages: one line of bounded length, `$(icon)` is no icon. */
export function label(text: string): string {
  const line = oneLine(text);
  const short = line.length > MAX_LABEL ? `${line.slice(0, MAX_LABEL - 1)}…` : line;
  return short.replaceAll('$(', '$\u200b(');
}

const MAX_LABEL = 120;

function oneLine(text: string): string {
  const visible = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, visible);
}

/** A markdown text for an editor that shows none. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/\[((?:\\.|[^\]\\])*)\]\([^)\s]*\)/g, '$1')
    .replace(/^\|[-:|]+\|\n/gm, '')
    .replace(/(?<!\\)[*`]/g, '')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1');
}

/** A link that runs a client command; arguments travel as JSON. */
export function commandLink(title: string, command: string, ...args: readonly unknown[]): string {
  return `[${title}](command:${command}?${encodeURIComponent(JSON.stringify(args))})`;
}
