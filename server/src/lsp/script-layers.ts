/** From places in a script to layers of the models it is tied to, and back. */
import type { Location } from 'vscode-languageserver-types';
import type { AnalysisReport, Decibel, LayerReport } from '../protocol/reports';
import { type WorstFigure, worstFigure } from '../rules/model-view';
import type { AnalyzedScript } from '../rules/script/analyze';
import type { Place } from '../script/interpret-values';
import type { ModuleLayer } from '../script/module-tree';
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
  readonly role: Role;
}

/**
 * `layer`: the call of a layer's own constructor · `maker`: a call behind which a class or function makes the layers
 * elsewhere (`ConvBNAct(…)`, `conv3x3(…)`) · `around`: any other module around layers.
 */
type Role = 'layer' | 'maker' | 'around';

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
  const bySpan = new Map<string, { tie: ScriptTie; span: Span; layers: Set<string>; role: Role }>();
  const add = (tie: ScriptTie, place: Place, layer: string, role: Role) => {
    if (place.file !== file) return;
    const key = place.span.join();
    const held = bySpan.get(key);
    if (!held) bySpan.set(key, { tie, span: place.span, layers: new Set([layer]), role });
    else if (held.tie === tie) held.layers.add(layer);
  };
  for (const tie of ties) {
    for (const [layer, name] of tie.pairs) add(tie, layer.place, name, 'layer');
    const shared = sharedPlaces(tie);
    for (const [layer, name] of tie.pairs) {
      const maker = makerOf(layer, file, shared);
      if (maker) add(tie, maker, name, 'maker');
    }
    for (const [layer, name] of tie.pairs) for (const place of layer.around) add(tie, place, name, 'around');
    for (const { attribute, span } of assigned(program, tie.tree.name))
      for (const [{ path }, name] of tie.pairs)
        if (path.startsWith(`${attribute}.`)) add(tie, { file, span }, name, 'around');
    const named = namesOf({ file, program }, tie).map((span) => ({ file, span }));
    for (const place of [tie.tree.place, ...named])
      for (const name of tie.pairs.values()) add(tie, place, name, 'around');
  }
  const places = [...bySpan.values()].map((one) => ({ ...one, layers: [...one.layers] }));
  indices.set(ties, places);
  return places;
}

/** Calls around all layers of a network: they make the network. */
function sharedPlaces({ pairs }: ScriptTie): readonly Place[] {
  const [first, ...others] = pairs.keys();
  return (first?.around ?? []).filter((place) =>
    others.every(({ around }) => around.some((one) => samePlace(one, place))),
  );
}

/**
 * The innermost call in a file that has a layer made elsewhere: not what is written around the layer, nor one of `shared`,
 * by which the network itself is made.
 */
function makerOf({ place, around }: ModuleLayer, file: string, shared: readonly Place[]): Place | undefined {
  const holds = ({ span }: Place) =>
    place.file === file && span[0] <= place.span[0] && place.span[1] <= span[1];
  const own = around.findLast((one) => one.file === file && !holds(one));
  return own && !shared.some((one) => samePlace(one, own)) ? own : undefined;
}

function samePlace(one: Place, other: Place): boolean {
  return one.file === other.file && one.span[0] === other.span[0] && one.span[1] === other.span[1];
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
    .filter(
      ({ span, role }) =>
        span[0] <= offset && offset <= span[1] && (role === 'layer' || span[0] >= lineStart),
    )
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
export function tiedCalls(snapshot: ScriptSnapshot, ties: readonly ScriptTie[]): readonly TiedLayers[] {
  return tiedPlaces(snapshot, ties, ['layer']);
}

/** Those, and the calls behind which layers are made elsewhere. */
export function tiedMakers(snapshot: ScriptSnapshot): readonly TiedLayers[] {
  return tiedPlaces(snapshot, snapshot.ties(), ['layer', 'maker']);
}

function tiedPlaces(
  snapshot: ScriptSnapshot,
  ties: readonly ScriptTie[],
  roles: readonly Role[],
): readonly TiedLayers[] {
  return placesOf(ties, snapshot.script)
    .filter(({ role }) => roles.includes(role))
    .flatMap((place) => layersOf(snapshot, place) ?? [])
    .sort((one, other) => one.span[0] - other.span[0]);
}

/**
 * Where a script makes a layer of a model, be it in a file that it imports, and the call by which it has it made there.
 * @param elsewhere finds a place in a file that need not be open.
 */
export function placesOfLayer(
  snapshot: ScriptSnapshot,
  model: string,
  layer: string,
  elsewhere: (place: Place) => Location | undefined,
): readonly Location[] {
  const { script, places } = snapshot;
  const located = (place: Place) =>
    place.file === script.file ? places.location(place.span) : elsewhere(place);
  return snapshot
    .ties()
    .filter((tie) => tie.model === model)
    .flatMap((tie) => {
      const [made] = [...tie.pairs].find(([, name]) => name === layer) ?? [];
      if (!made) return [];
      const shared = sharedPlaces(tie);
      const files = new Set([made.place.file, script.file]);
      return [made.place, ...[...files].flatMap((file) => makerOf(made, file, shared) ?? [])];
    })
    .flatMap((place) => located(place) ?? []);
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
