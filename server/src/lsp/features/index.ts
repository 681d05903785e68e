/** All features, one line each: the request, the answer where there is nothing to tell, and the feature itself. */
import type { Position, Range } from 'vscode-languageserver-types';
import {
  type InsertionsReply,
  insertionsRequest,
  type ScriptModelsParams,
  type ScriptModelsReply,
  scriptModelsRequest,
} from '../../protocol/lsp-ext';
import type { ReadRecipe } from '../recipe-actions';
import type { ScriptSnapshot, Snapshot } from '../snapshot';
import { type ActionRequest, codeActions } from './code-action';
import { codeLenses } from './code-lens';
import { completion } from './completion';
import { definition } from './definition';
import type { DiagnosticSources } from './diagnostics';
import { folding } from './folding';
import { hover } from './hover';
import { inlayHints } from './inlay-hints';
import { references } from './references';
import { scriptActions } from './script/code-action';
import { scriptLenses } from './script/code-lens';
import { scriptDefinition, scriptReferences } from './script/definition';
import { type LocateInScripts, placesBeside, placesInScripts } from './script/from-model';
import { scriptHover } from './script/hover';
import { scriptHints } from './script/inlay-hints';
import { insertions } from './script/insert';
import { scriptModels } from './script/models';
import { semanticTokens } from './semantic-tokens';
import { symbols } from './symbols';

/** Params that every request about a document has. */
export interface DocumentParams {
  readonly textDocument: { readonly uri: string };
}

/** What features may ask beyond their snapshot; all of it answers from memory. */
export interface FeatureServices extends DiagnosticSources {
  readonly read: ReadRecipe;
  readonly inScripts: LocateInScripts;
}

export interface Feature {
  readonly method: string;
  readonly fallback: unknown;
  /** While someone types, an answer waits for the newest version of the text; completion never waits. */
  readonly waits: boolean;
  answer(snapshot: Snapshot, params: DocumentParams, services: FeatureServices): unknown;
  /** Answer about a script. Without one the script is not looked at, and others may answer: `null`. */
  readonly script:
    | ((snapshot: ScriptSnapshot, params: DocumentParams, services: FeatureServices) => unknown)
    | undefined;
}

interface Extra<P> {
  readonly waits?: boolean;
  readonly script?: (snapshot: ScriptSnapshot, params: P, services: FeatureServices) => unknown;
}

function feature<P extends object>(
  method: string,
  fallback: unknown,
  answer: (snapshot: Snapshot, params: P, services: FeatureServices) => unknown,
  { waits = true, script }: Extra<P> = {},
): Feature {
  // The protocol ties the method to its params; this is the one place that believes it.
  const believed = (params: DocumentParams) => params as DocumentParams & P;
  return {
    method,
    fallback,
    waits,
    answer: (snapshot, params, services) => answer(snapshot, believed(params), services),
    script: script && ((snapshot, params, services) => script(snapshot, believed(params), services)),
  };
}

type At = { readonly position: Position };
type ModelsAsked = Pick<ScriptModelsParams, 'modelUri' | 'insteadOf'>;
type In = { readonly range: Range };
type Asked = At & { readonly context: { readonly includeDeclaration: boolean } };

const noModels: ScriptModelsReply = { models: [] };
const noNetwork: InsertionsReply = { blocks: [], trouble: 'no-network' };

export const features: readonly Feature[] = [
  feature<At>('textDocument/hover', null, (snapshot, { position }) => hover(snapshot, position), {
    script: (snapshot, { position }) => scriptHover(snapshot, position),
  }),
  feature('textDocument/codeLens', [], (snapshot) => codeLenses(snapshot), {
    script: (snapshot) => scriptLenses(snapshot),
  }),
  feature<ActionRequest>(
    'textDocument/codeAction',
    [],
    (snapshot, params, { read }) => codeActions(snapshot, params, read),
    { script: (snapshot, params, { read }) => scriptActions(snapshot, params, read) },
  ),
  feature<At>(
    'textDocument/completion',
    [],
    (snapshot, { position }) => (snapshot.kind === 'recipe' ? completion(snapshot, position) : []),
    { waits: false },
  ),
  feature<At>(
    'textDocument/definition',
    null,
    (snapshot, { position }, { locate, inScripts }) => {
      const own = definition(snapshot, position, locate);
      const more = placesInScripts(snapshot, position, inScripts);
      return more.length === 0 ? own : [...(own ? [own] : []), ...more];
    },
    { script: (snapshot, { position }, services) => scriptDefinition(snapshot, position, services) },
  ),
  feature<Asked>(
    'textDocument/references',
    [],
    (snapshot, { position, context }, services) => [
      ...(snapshot.kind === 'text' ? references(snapshot, position, context.includeDeclaration) : []),
      ...placesInScripts(snapshot, position, services.inScripts),
      ...placesBeside(snapshot, position, context.includeDeclaration, services),
    ],
    {
      script: (snapshot, { position, context }, services) =>
        scriptReferences(snapshot, position, context.includeDeclaration, services),
    },
  ),
  feature<At>(insertionsRequest, noNetwork, () => noNetwork, {
    script: (snapshot, { position }) => insertions(snapshot, position),
  }),
  feature<ModelsAsked>(scriptModelsRequest, noModels, () => noModels, {
    script: (snapshot, params, { inspect }) => scriptModels(snapshot, params, inspect),
  }),
  feature('textDocument/documentSymbol', [], (snapshot) =>
    snapshot.kind === 'text' ? symbols(snapshot) : [],
  ),
  feature('textDocument/foldingRange', [], (snapshot) => (snapshot.kind === 'text' ? folding(snapshot) : [])),
  feature<In>('textDocument/inlayHint', [], (snapshot, { range }) => inlayHints(snapshot, range), {
    script: (snapshot, { range }) => scriptHints(snapshot, range),
  }),
  feature('textDocument/semanticTokens/full', { data: [] }, (snapshot) => ({
    data: snapshot.kind === 'text' ? semanticTokens(snapshot) : [],
  })),
  feature<In>('textDocument/semanticTokens/range', { data: [] }, (snapshot, { range }) => {
    if (snapshot.kind !== 'text') return { data: [] };
    const { document } = snapshot;
    return { data: semanticTokens(snapshot, document.offsetAt(range.start), document.offsetAt(range.end)) };
  }),
];
