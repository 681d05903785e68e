/** What the editor at the other end can do, as plain facts; absent capabilities mean the older, smaller protocol. */
import type { InitializationOptions } from '../protocol/lsp-ext';

interface Supported {
  readonly refreshSupport?: boolean;
  readonly dynamicRegistration?: boolean;
}

/** The part of `InitializeParams` that is read here. */
export interface GivenByClient {
  readonly initializationOptions?: unknown;
  readonly capabilities: {
    readonly workspace?: {
      readonly configuration?: boolean;
      readonly didChangeConfiguration?: Supported;
      readonly didChangeWatchedFiles?: Supported;
      readonly codeLens?: Supported;
      readonly inlayHint?: Supported;
      readonly diagnostics?: Supported;
      readonly semanticTokens?: Supported;
      readonly textDocumentContent?: object;
      readonly workspaceEdit?: {
        readonly documentChanges?: boolean;
        readonly resourceOperations?: readonly string[];
        readonly changeAnnotationSupport?: object;
      };
    };
    readonly textDocument?: {
      readonly diagnostic?: object;
      readonly publishDiagnostics?: { readonly relatedInformation?: boolean };
      readonly hover?: { readonly contentFormat?: readonly string[] };
      readonly codeAction?: { readonly disabledSupport?: boolean };
    };
    readonly window?: { readonly workDoneProgress?: boolean };
  };
}

export interface ClientFacts {
  /** The extension of this project: registers the client commands and watches files. */
  readonly own: boolean;
  /** False until the client says that the workspace is trusted; other editors leave that to their users. */
  readonly trusted: boolean;
  readonly cacheDirectory: string | undefined;
  /** Folder for the history of runs. */
  readonly historyDirectory: string | undefined;
  /** The editor validates and completes recipes by their JSON schema. */
  readonly recipeSchema: boolean;
  /** Takes rows of large models alone. */
  readonly takesRows: boolean;
  readonly markdown: boolean;
  readonly relatedInformation: boolean;
  readonly disabledActions: boolean;
  readonly pullDiagnostics: boolean;
  readonly documentChanges: boolean;
  readonly createsFiles: boolean;
  /** Edits can wait for confirmation. */
  readonly changeAnnotations: boolean;
  readonly configuration: boolean;
  readonly registersConfiguration: boolean;
  readonly registersWatchers: boolean;
  readonly showsContent: boolean;
  readonly workDoneProgress: boolean;
  /** Requests that ask the editor to pull again. */
  readonly refreshes: readonly string[];
}

export function clientFacts({ capabilities, initializationOptions }: GivenByClient): ClientFacts {
  const { workspace, textDocument, window } = capabilities;
  const given = ownOptions(initializationOptions);
  const edits = workspace?.workspaceEdit;
  const refreshable = [
    ['workspace/codeLens/refresh', workspace?.codeLens],
    ['workspace/inlayHint/refresh', workspace?.inlayHint],
    ['workspace/diagnostic/refresh', workspace?.diagnostics],
  ] as const;
  return {
    own: given !== undefined,
    trusted: given?.trusted ?? true,
    cacheDirectory: given?.cacheDirectory,
    historyDirectory: given?.historyDirectory,
    recipeSchema: given?.recipeSchema ?? false,
    takesRows: given?.takesRows ?? false,
    markdown: textDocument?.hover?.contentFormat?.includes('markdown') ?? false,
    relatedInformation: textDocument?.publishDiagnostics?.relatedInformation ?? false,
    disabledActions: textDocument?.codeAction?.disabledSupport ?? false,
    pullDiagnostics: textDocument?.diagnostic !== undefined,
    documentChanges: edits?.documentChanges ?? false,
    createsFiles: (edits?.documentChanges && edits.resourceOperations?.includes('create')) ?? false,
    changeAnnotations: edits?.changeAnnotationSupport !== undefined,
    configuration: workspace?.configuration ?? false,
    registersConfiguration: workspace?.didChangeConfiguration?.dynamicRegistration ?? false,
    registersWatchers: workspace?.didChangeWatchedFiles?.dynamicRegistration ?? false,
    showsContent: workspace?.textDocumentContent !== undefined,
    workDoneProgress: window?.workDoneProgress ?? false,
    refreshes: refreshable.flatMap(([method, support]) => (support?.refreshSupport ? [method] : [])),
  };
}

function ownOptions(options: unknown): InitializationOptions | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  const { trusted, cacheDirectory, historyDirectory, recipeSchema, takesRows } =
    options as Partial<InitializationOptions>;
  if (typeof trusted !== 'boolean') return undefined;
  return {
    trusted,
    cacheDirectory: text(cacheDirectory),
    historyDirectory: text(historyDirectory),
    recipeSchema: recipeSchema === true,
    takesRows: takesRows === true,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
