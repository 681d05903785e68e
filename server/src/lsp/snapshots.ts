/** Makes snapshots of documents, and keeps what is costly to make: parsed texts, layer indices, printed models. */
import * as path from 'node:path';
import { LRUCache } from 'lru-cache';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location } from 'vscode-languageserver-types';
import { printModelText } from '../engine/model-text';
import { recipePath } from '../engine/recipe-data';
import { line } from '../rules/words';
import { fileOf, rangeOf, textViewUri, uriOf } from './convert';
import { type Snapshot, type Surroundings, TextCache } from './snapshot';
import type { ModelState, Workspace } from './workspace';

interface PrintedText {
  readonly stamp: string;
  readonly text: string;
  /** For looking up places without the text being open in the editor. */
  readonly document: TextDocument;
  readonly texts: TextCache;
}

/** Printed models kept; each is some ten times smaller than its parsed text. */
const MAX_PRINTED = 8;

export class Snapshots {
  private readonly texts = new TextCache();
  private readonly printed = new LRUCache<string, PrintedText>({ max: MAX_PRINTED });

  constructor(
    private readonly workspace: Workspace,
    private readonly surroundings: () => Surroundings,
  ) {}

  /** The document as features see it; undefined for documents that are neither text nor recipe. */
  of(document: TextDocument): Snapshot | undefined {
    const file = fileOf(document.uri);
    if (document.uri.endsWith('.quant.json')) {
      const parsed = this.workspace.recipe(document.uri, file ?? '');
      if (!parsed) return undefined;
      const named = parsed.recipe?.model;
      const model =
        named === undefined || file === undefined
          ? undefined
          : this.workspace.model(namedModel(file, named), { uri: document.uri, parsed });
      return { kind: 'recipe', document, parsed, model, ...this.surroundings() };
    }
    if (document.languageId !== 'onnxtxt') return undefined;
    const parsed = this.texts.parse(document);
    const model = file === undefined ? undefined : this.workspace.model(file);
    const layers = this.texts.index(parsed, model?.report?.layers ?? noLayers);
    return { kind: 'text', document, parsed, model, layers, ...this.surroundings() };
  }

  /** True while the document is being typed in and its newest version was not looked at. */
  isStale(document: TextDocument): boolean {
    return this.texts.isStale(document);
  }

  forget(uri: string): void {
    this.texts.forget(uri);
  }

  /** The text view of a binary model, printed once per state of the file; a problem is a comment in its place. */
  text(file: string): string {
    return this.print(file).text;
  }

  /** True when the text of a model was printed and its file has changed since. */
  isOutdated(file: string): boolean {
    const held = this.printed.get(file);
    return held !== undefined && held.stamp !== this.stampText(file);
  }

  /** Where a layer's operator stands in a model's text; without a layer, where the text begins. */
  locate(model: ModelState, layer?: string): Location | undefined {
    const { document, texts } = this.print(model.path);
    if (layer === undefined) return { uri: document.uri, range: rangeOf(document, [0, 0]) };
    const index = texts.index(texts.parse(document), model.report?.layers ?? noLayers);
    const node = index.nodeOf(layer);
    return node && { uri: document.uri, range: rangeOf(document, node.opSpan) };
  }

  private stampText(file: string): string {
    return JSON.stringify(this.workspace.stamp(file) ?? null);
  }

  private print(file: string): PrintedText {
    const stamp = this.stampText(file);
    const held = this.printed.get(file);
    if (held?.stamp === stamp) return held;
    const opened = this.workspace.open(file);
    const printed = opened.value && printModelText(opened.value, false);
    const issues = printed?.issues ?? opened.issues;
    const text = printed?.value?.text ?? `${issues.map((one) => `# ${line(one)}`).join('\n')}\n`;
    // A text file is its own text; only binary models have a view.
    const isText = opened.value?.format === 'onnxtxt';
    const shown = isText ? this.workspace.recipeText(uriOf(file), file) : text;
    const uri = isText ? uriOf(file) : textViewUri(uriOf(file));
    const made = {
      stamp,
      text,
      document: TextDocument.create(uri, 'onnxtxt', 1, shown),
      texts: new TextCache(),
    };
    if (!isText) this.printed.set(file, made);
    return made;
  }
}

const noLayers = [] as const;

/** Path of the model a recipe names. */
function namedModel(recipeFile: string, named: string): string {
  // No file call takes a NUL, and no share is contacted on a file's word; the empty path is reported as missing.
  const refused = named.includes('\0') || (process.platform === 'win32' && /^[\\/]{2}/.test(named));
  return refused ? '' : recipePath(path.dirname(recipeFile), named);
}
