/** From places in a script to layers of the models it is tied to, and back. */
import type { Location } from 'vscode-languageserver-types';
import type { AnalysisReport, Decibel, LayerReport } from '../protocol/reports';
import { type WorstFigure, worstFigure } from '../rules/model-view';
import type { AnalyzedScript } from '../rules/script/analyze';
import type { Program } from '../script/program';
import type { Span } from './convert';
import type { ScriptTie } from './script-ties';
import type { ScriptSnapshot } from './snapshot';
import type { ModelState } from './workspace';

/** A constructor call and what it makes. */
interface TiedPlace {
  readonly tie: ScriptTie;
  readonly span: Span;
  /** Names of the layers in the model, in the order of the script. */
  readonly layers: readonly string[];
  /** True when the call makes a layer itself, not a module around layers. */
  readonly direct: boolean;
}

/** Layers made at a place, as their model knows them now. */
export interface TiedLayers {
  readonly tie: ScriptTie;
  readonly span: Span;
  readonly model: ModelState;
  readonly layers: readonly LayerReport[];
}

const indices = new WeakMap<readonly ScriptTie[], readonly TiedPlace[]>();

/** Places of all tied networks; where networks share a line, the one that fits best speaks. */
function placesOf(ties: readonly ScriptTie[], { file, program }: AnalyzedScript): readonly TiedPlace[] {
  const known = indices.get(ties);
  if (known) return known;
  const bySpan = new Map<string, { tie: ScriptTie; span: Span; layers: string[]; direct: boolean }>();
  const add = (tie: ScriptTie, place: { file: string; span: Span }, layer: string, direct: boolean) => {
    if (place.file !== file) return;
    const key = place.span.join();
    const held = bySpan.get(key);
    if (!held) bySpan.set(key, { tie, span: place.span, layers: [layer], direct });
    else if (held.tie === tie && !held.layers.includes(layer)) held.layers.push(layer);
  };
  for (const tie of ties) {
    for (const [layer, name] of tie.pairs) add(tie, layer.place, name, true);
    for (const [layer, name] of tie.pairs) for (const place of layer.around) add(tie, place, name, false);
    for (const { attribute, span } of assigned(program, tie.tree.name))
      for (const [{ path }, name] of tie.pairs)
        if (path.startsWith(`${attribute}.`)) add(tie, { file, span }, name, false);
    const named = namesOf({ file, program }, tie).map((span) => ({ file, span }));
    for (const place of [tie.tree.place, ...named])
      for (const name of tie.pairs.values()) add(tie, place, name, false);
  }
  const places = [...bySpan.values()];
  indices.set(ties, places);
  return places;
}

/** The class of a network and the function that returns it; the call that makes it only where neither is in the file. */
export function namesOf(
  { file, program }: Pick<AnalyzedScript, 'file' | 'program'>,
  { tree }: ScriptTie,
): readonly Span[] {
  if (tree.place.file !== file) return [];
  const same = (span: Span) => span[0] === tree.place.span[0] && span[1] === tree.place.span[1];
  const maker = program.calls.find(({ expression }) => same(expression.span));
  const named = [
    program.classes.find(({ statement }) => statement.name === tree.name)?.statement.nameSpan,
    maker?.statement.kind === 'return' ? maker.function?.nameSpan : undefined,
    program.functions.find(({ statement }) => same(statement.nameSpan))?.statement.nameSpan,
  ].filter((span) => span !== undefined);
  return named.length > 0 ? named : [tree.place.span];
}

/** `self.layer1 = self.make(…)` in the class of a network: whatever the call does, its layers are below `layer1`. */
function assigned(
  program: Program,
  className: string,
): readonly { readonly attribute: string; readonly span: Span }[] {
  return program.calls.flatMap(({ class: owner, statement, expression }) => {
    if (owner?.name !== className || statement.kind !== 'assign' || statement.value !== expression) return [];
    return statement.targets.flatMap((target) => {
      const isOwn =
        target.kind === 'attribute' && target.object.kind === 'name' && target.object.name === 'self';
      return isOwn ? [{ attribute: target.attribute, span: expression.span }] : [];
    });
  });
}

/** Layers that the constructor call at an offset of the program makes; on its line, left of it, as well. */
export function tiedAt(snapshot: ScriptSnapshot, offset: number): TiedLayers | undefined {
  const { text } = snapshot.script;
  const places = placesOf(snapshot.ties(), snapshot.script);
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const newline = text.indexOf('\n', offset);
  const lineEnd = newline < 0 ? text.length : newline;
  // A module around layers speaks on its first line alone: below are the calls of what is inside.
  const inside = places
    .filter(({ span, direct }) => span[0] <= offset && offset <= span[1] && (direct || span[0] >= lineStart))
    .sort((one, other) => length(one) - length(other));
  const ahead = places
    .filter(({ span }) => offset < span[0] && span[0] <= lineEnd)
    .sort((one, other) => one.span[0] - other.span[0] || length(other) - length(one));
  const place = inside[0] ?? ahead[0];
  return place && layersOf(snapshot, place);
}

function length({ span }: TiedPlace): number {
  return span[1] - span[0];
}

/** All calls that make layers themselves, in the order of the text. */
export function tiedCalls(
  snapshot: ScriptSnapshot,
  ties: readonly ScriptTie[] = snapshot.ties(),
): readonly TiedLayers[] {
  return placesOf(ties, snapshot.script)
    .filter(({ direct }) => direct)
    .flatMap((place) => layersOf(snapshot, place) ?? [])
    .sort((one, other) => one.span[0] - other.span[0]);
}

/** Where a script makes a layer of a model. */
export function placesOfLayer(snapshot: ScriptSnapshot, model: string, layer: string): readonly Location[] {
  return placesOf(snapshot.ties(), snapshot.script)
    .filter(({ direct, tie, layers }) => direct && tie.model === model && layers.includes(layer))
    .flatMap(({ span }) => snapshot.places.location(span) ?? []);
}

function layersOf(snapshot: ScriptSnapshot, { tie, span, layers }: TiedPlace): TiedLayers | undefined {
  const model = snapshot.model(tie.model);
  const byName = model.report && layersByName(model.report);
  const found = layers.flatMap((name) => byName?.get(name) ?? []);
  return found.length === 0 ? undefined : { tie, span, model, layers: found };
}

const layerNames = new WeakMap<AnalysisReport, ReadonlyMap<string, LayerReport>>();

function layersByName(report: AnalysisReport): ReadonlyMap<string, LayerReport> {
  const known = layerNames.get(report);
  if (known) return known;
  const made = new Map(report.layers.map((layer) => [layer.name, layer]));
  layerNames.set(report, made);
  return made;
}

/** Layers by the figure that says most of them as a whole, the lowest first; and that figure. */
export function worstFirst(layers: readonly LayerReport[]): {
  readonly sorted: readonly LayerReport[];
  readonly by: WorstFigure | undefined;
} {
  const by = worstFigure(layers);
  if (!by) return { sorted: layers, by };
  const figure = (layer: LayerReport) => figureOf(layer, by) ?? Number.POSITIVE_INFINITY;
  return { sorted: [...layers].sort((one, other) => figure(one) - figure(other)), by };
}

/** The figure of a layer in the metric and format of another one. */
export function figureOf(
  layer: LayerReport,
  { effect, format }: Pick<WorstFigure, 'effect' | 'format'>,
): Decibel | undefined {
  const figures = { weight: layer.weightSqnr, cumulative: layer.cumulative, output: layer.outputEffect }[
    effect
  ];
  return figures?.[format];
}
