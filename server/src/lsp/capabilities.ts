/** What the server says it can do, to the editor it speaks with. */
import { type ServerCapabilities, TextDocumentSyncKind } from 'vscode-languageserver';
import { textViewScheme } from '../protocol/lsp-ext';
import type { ClientFacts } from './client-facts';
import { codeActionKinds } from './features/code-action';
import { chooseKind, fixAllKind } from './features/script/code-action';
import { readerKind } from './features/script/data';
import { insertKind } from './features/script/insert';
import { semanticLegend } from './features/semantic-tokens';

/** What only texts of models have: scripts are folded and coloured by their own language. */
const textDocuments = [{ language: 'onnxtxt' }];

export function capabilitiesFor({ pullDiagnostics }: ClientFacts): ServerCapabilities {
  const diagnosticProvider = {
    identifier: 'quantlens',
    interFileDependencies: true,
    workspaceDiagnostics: true,
  };
  return {
    textDocumentSync: TextDocumentSyncKind.Incremental,
    hoverProvider: true,
    codeLensProvider: { resolveProvider: false },
    codeActionProvider: {
      codeActionKinds: [...codeActionKinds, fixAllKind, chooseKind, readerKind, insertKind],
    },
    completionProvider: { triggerCharacters: ['"', ':', ' '] },
    definitionProvider: true,
    referencesProvider: true,
    documentSymbolProvider: true,
    foldingRangeProvider: { documentSelector: textDocuments },
    inlayHintProvider: true,
    semanticTokensProvider: {
      documentSelector: textDocuments,
      legend: semanticLegend,
      full: true,
      range: true,
    },
    notebookDocumentSync: { notebookSelector: [{ notebook: '*', cells: [{ language: 'python' }] }] },
    ...(pullDiagnostics ? { diagnosticProvider } : {}),
    workspace: { textDocumentContent: { schemes: [textViewScheme] } },
  };
}
