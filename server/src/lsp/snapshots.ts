/** Makes snapshots of documents, and keeps what is costly to make: parsed texts, layer indices, printed models. */
import * as path from 'node:path';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location } from 'vscode-languageserver-types';
import { stampOf } from '../engine/index';
import type { Settings } from '../protocol/lsp-ext';
import { pathOf, rangeOf } from './convert';
import { type Snapshot, TextCache } from './snapshot';
import type { Workspace } from './workspace';

interface Surroundings {
  readonly settings: Settings;
  readonly trusted: boolean;
}

export class Snapshots {
  private readonly texts = new TextCache();
  private readonly printed = new Map<string, { readonly stamp: string; readonly text: string }>();

  constructor(
    private readonly workspace: Workspace,
    private readonly surroundings: () => Surroundings,
  ) {}

  /** The document as features see it; undefined for documents that are neither text nor recipe. */
  of(document: TextDocument): Snapshot | undefined {
    const { settings, trusted } = this.surroundings();
    const file = pathOf(document.uri);
    if (document.uri.endsWith('.quant.json')) {
      const parsed = this.workspace.recipe(document.uri, file);
      if (!parsed) return undefined;
      const named = parsed.recipe?.model;
      const model =
        named === undefined ? undefined : this.workspace.model(path.resolve(path.dirname(file), named));
      return { kind: 'recipe', document, parsed, model, settings, trusted };
    }
    if (document.languageId !== 'onnxtxt') return undefined;
    const parsed = this.texts.parse(document);
    const model = this.workspace.model(file);
    const layers = this.texts.index(parsed, model.report?.layers ?? []);
    return { kind: 'text', document, parsed, model, layers, settings, trusted };
  }

  forget(uri: string): void {
    this.texts.forget(uri);
  }

  /** Text of a model file, made once per state of the file. */
  text(file: string, make: (file: string) => string): string {
    const stamp = JSON.stringify(stampOf(file) ?? null);
    const held = this.printed.get(file);
    if (held?.stamp === stamp) return held.text;
    const text = make(file);
    this.printed.set(file, { stamp, text });
    return text;
  }

  /** Where a layer's operator stands in a model's text view. */
  locate(uri: string, text: string, file: string, layer: string): Location | undefined {
    const document = TextDocument.create(uri, 'onnxtxt', -1, text);
    const index = this.texts.index(
      this.texts.parse(document),
      this.workspace.model(file).report?.layers ?? [],
    );
    const node = index.nodeOf(layer);
    return node && { uri, range: rangeOf(document, node.opSpan) };
  }
}
