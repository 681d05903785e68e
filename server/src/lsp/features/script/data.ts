/**
 * The data of a script in the editor: a lens and a hover on its loader or transform that say what was recognised, the
 * calibration form filled with it, and a reader for onnxruntime that feeds it.
 */
import * as path from 'node:path';
import {
  type CodeAction,
  CodeActionKind,
  type CodeLens,
  type Hover,
  MarkupKind,
  type Position,
  type Range,
  type TextEdit,
} from 'vscode-languageserver-types';
import { clientCommands } from '../../../protocol/lsp-ext';
import type { CalibrationPrefill, Preprocessing } from '../../../protocol/views';
import { dataWords } from '../../../rules/words-script-editor';
import { type ReaderInput, readerEdits } from '../../../script/calibration-reader';
import type { DataPipeline } from '../../../script/data-pipeline';
import type { OffsetEdit } from '../../../script/edit-imports';
import type { Call } from '../../../script/program';
import { escapeMarkdown, label, plainText, type Span, uriOf } from '../../convert';
import { previewedEdit } from '../../previewed-edit';
import type { ScriptSnapshot } from '../../snapshot';

/** Actions that write a calibration reader. */
export const readerKind = `${CodeActionKind.RefactorRewrite}.calibrationReader`;

/** Lenses of one script. */
const MAX_LENSES = 4;

/** A lens that only tells something needs a command without a name. */
const noCommand = '';

export function dataLenses(snapshot: ScriptSnapshot): CodeLens[] {
  if (!snapshot.settings.codeLens.data) return [];
  return offered(snapshot).flatMap((pipeline): CodeLens[] => {
    const range = snapshot.places.range(pipeline.span);
    if (!range) return [];
    const facts = factsOf(pipeline).join(' · ');
    const title = pipeline.role === 'training' ? dataWords.trainingLens(facts) : dataWords.lens(facts);
    if (!snapshot.client.own) return [{ range, command: { title, command: noCommand } }];
    return [
      {
        range,
        command: {
          title,
          command: clientCommands.calibrate,
          arguments: [modelOf(snapshot), prefillOf(snapshot, pipeline)],
        },
      },
    ];
  });
}

/** Those that say something; training data only where there is no other. */
function offered(snapshot: ScriptSnapshot): readonly DataPipeline[] {
  const telling = snapshot
    .data()
    .filter(({ preprocessing, sources }) => Object.keys(preprocessing).length > 0 || sources.length > 0);
  const better = telling.filter(({ role }) => role !== 'training');
  return (better.length > 0 ? better : telling).slice(0, MAX_LENSES);
}

/** Address of the model that the script is tied to, that a comment names, or that it writes. */
function modelOf(snapshot: ScriptSnapshot): string | null {
  const files = [
    ...snapshot.ties().map(({ model }) => model),
    ...namedModels(snapshot),
    ...snapshot
      .exports()
      .map(({ model }) => model)
      .filter((file) => snapshot.exists(file)),
  ];
  const model = files.find((file) => /\.onnx$/i.test(file));
  return model === undefined ? null : uriOf(model);
}

function namedModels({ script, exists }: ScriptSnapshot): readonly string[] {
  const folder = path.dirname(script.file);
  return script.suppressions.models.map((one) => path.resolve(folder, one.path)).filter(exists);
}

/** `data/val · resize 256 · crop 224 · mean 0.485, 0.456, 0.406 · …`. */
function factsOf({ preprocessing, sources, kind }: DataPipeline): readonly string[] {
  const { resize, crop, mean, std, scale, layout, color } = fieldsOf(preprocessing);
  const [source] = sources;
  const facts = [
    ...(source && kind !== 'transform' ? [label(source.path)] : []),
    ...(resize === undefined ? [] : [`resize ${resize}`]),
    ...(crop === undefined ? [] : [`crop ${crop}`]),
    ...(scale === undefined ? [] : [`scale ${scale}`]),
    ...(mean === undefined ? [] : [`mean ${mean}`]),
    ...(std === undefined ? [] : [`std ${std}`]),
    ...(layout === 'nhwc' ? [layout] : []),
    ...(color === 'bgr' ? [color] : []),
  ];
  return facts.length === 0 ? [dataWords.asIs] : facts;
}

/** Values as a form writes them. */
function fieldsOf({ scale, mean, std, ...rest }: DataPipeline['preprocessing']): Preprocessing {
  return {
    ...rest,
    ...(scale === undefined ? {} : { scale: fraction(scale) }),
    ...(mean === undefined ? {} : { mean: numbers(mean) }),
    ...(std === undefined ? {} : { std: numbers(std) }),
  };
}

/** `1/255` where that is what the number is. */
function fraction(value: number): string {
  const inverse = 1 / value;
  const rounded = Math.round(inverse * 10) / 10;
  return Math.abs(inverse) > 1 && Math.abs(inverse - rounded) < 1e-6 * Math.abs(inverse)
    ? `1/${rounded}`
    : String(value);
}

function numbers(values: readonly number[]): string {
  const [first] = values;
  const texts = values.every((one) => one === first) ? values.slice(0, 1) : values;
  return texts.map((value) => String(Number(value.toPrecision(9)))).join(', ');
}

/** What the form is filled with; data that does not exist is named in a note. */
function prefillOf(snapshot: ScriptSnapshot, pipeline: DataPipeline): CalibrationPrefill {
  const { script } = snapshot;
  const { doubts, sources, preprocessing } = pipeline;
  const source = existing(snapshot, pipeline);
  const [wanted] = sources;
  const notes = doubts.map(({ kind, detail }) => dataWords.doubts[kind](detail));
  const missing = wanted && source === undefined ? [dataWords.missing(wanted.path)] : [];
  return {
    from: [script.file, ...otherFiles(pipeline)].map((file) => path.basename(file)).join(', '),
    ...(source === undefined ? {} : { source }),
    ...fieldsOf(preprocessing),
    notes: [...missing, ...notes],
  };
}

/** Files that the script imports its data from. */
function otherFiles({ loader, transform, sources }: DataPipeline): readonly string[] {
  return [...new Set([loader, transform, ...sources].flatMap((part) => part?.file ?? []))];
}

/** The first path that exists, as seen from the script's folder or from one above it. */
function existing({ script, isData }: ScriptSnapshot, { sources }: DataPipeline): string | undefined {
  if (!path.isAbsolute(script.file)) return undefined;
  const folder = path.dirname(script.file);
  const bases = [folder, path.dirname(folder), path.dirname(path.dirname(folder))];
  for (const { path: written } of sources)
    for (const base of path.isAbsolute(written) ? [''] : bases) {
      const file = base === '' ? written : path.resolve(base, written);
      if (isData(file)) return file;
    }
  return undefined;
}

/** What was recognised of the loader or transform at a place; the innermost one. */
export function dataHover(snapshot: ScriptSnapshot, position: Position): Hover | null {
  const offset = snapshot.places.offset(snapshot.document.offsetAt(position));
  // The script runs for its data only where there may be some: hovers are asked for everywhere.
  if (!snapshot.script.program.calls.some((call) => isDataCall(call) && holds(call.expression.span, offset)))
    return null;
  const pipeline = pipelineAt(snapshot, offset);
  const span = pipeline && spansOf(pipeline).find((one) => holds(one, offset));
  const range = span && snapshot.places.range(span);
  if (!pipeline || !range) return null;
  const { kind, role, batchSize, doubts } = pipeline;
  const rows = Object.entries(fieldsOf(pipeline.preprocessing)).map(
    ([key, value]) => `| ${key} | ${escapeMarkdown(String(value))} |`,
  );
  const [source] = pipeline.sources;
  const facts = [
    dataWords.title(kind === 'loader' || kind === 'data'),
    ...(source ? [escapeMarkdown(source.path)] : []),
    ...(batchSize === undefined ? [] : [dataWords.batch(batchSize)]),
    ...(role === 'training' ? [dataWords.training] : []),
  ];
  const value = [
    facts.join(' · '),
    ...(rows.length > 0 ? [`| | |\n|---|---|\n${rows.join('\n')}`, `*${dataWords.formula}*`] : []),
    ...(doubts.length > 0
      ? [doubts.map((one) => `- ${escapeMarkdown(dataWords.doubts[one.kind](one.detail))}`).join('\n')]
      : []),
  ].join('\n\n');
  const contents = snapshot.client.markdown
    ? { kind: MarkupKind.Markdown, value }
    : { kind: MarkupKind.PlainText, value: plainText(value) };
  return { range, contents };
}

function isDataCall({ path, name }: Pick<Call, 'path' | 'name'>): boolean {
  if (path === undefined) return /^(flow_from_directory|transforms|permute|transpose)$/.test(name);
  return /^(torch\.(utils\.data|nn\.Sequential)|torchvision|albumentations|timm|transformers|tensorflow|keras|cv2|PIL|numpy|skimage|imageio)\b/.test(
    path,
  );
}

function pipelineAt(snapshot: ScriptSnapshot, offset: number): DataPipeline | undefined {
  return snapshot
    .data()
    .filter((pipeline) => spansOf(pipeline).some((span) => holds(span, offset)))
    .sort((one, other) => width(one, offset) - width(other, offset))[0];
}

/** Calls of the script that a pipeline is made by. */
function spansOf({ span, loader, transform }: DataPipeline): readonly Span[] {
  const parts = [loader, transform].flatMap((part) => (part && part.file === undefined ? [part.span] : []));
  return [span, ...parts];
}

function holds(span: Span, offset: number): boolean {
  return span[0] <= offset && offset <= span[1];
}

function width(pipeline: DataPipeline, offset: number): number {
  return Math.min(...spansOf(pipeline).flatMap((span) => (holds(span, offset) ? [span[1] - span[0]] : [])));
}

/** The reader for the loader or transform on a line, shown before it is written. */
export function readerActions(snapshot: ScriptSnapshot, range: Range): CodeAction[] {
  const { script, places, client } = snapshot;
  const near = script.program.calls.some(
    (call) => isDataCall(call) && touches(places.range(call.expression.span), range),
  );
  if (!near) return [];
  const pipeline = snapshot
    .data()
    .find((one) => spansOf(one).some((span) => touches(places.range(span), range)));
  const edits = pipeline && readerEdits(script, pipeline, readerInput(snapshot));
  if (!edits) return [];
  const byDocument = new Map<string, TextEdit[]>();
  for (const edit of edits) {
    const placed = placedEdit(snapshot, edit);
    if (!placed) return [];
    const list = byDocument.get(placed.uri) ?? [];
    list.push(placed.edit);
    byDocument.set(placed.uri, list);
  }
  const title = dataWords.generateReader;
  const documents = [...byDocument].map(([uri, list]) => ({ uri, edits: list }));
  if (documents.length === 0) return [];
  return [{ title, kind: readerKind, edit: previewedEdit(documents, title, client) }];
}

/** An edit in its document. Behind the last line of a cell it belongs to that cell, not to the next. */
function placedEdit(
  { places }: ScriptSnapshot,
  { start, end, text }: OffsetEdit,
): { readonly uri: string; readonly edit: TextEdit } | undefined {
  const here = places.location([start, end]);
  const before = start > 0 ? places.location([start - 1, start - 1]) : undefined;
  if (here && (!before || before.uri === here.uri))
    return { uri: here.uri, edit: { range: here.range, newText: text } };
  if (!before) return undefined;
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  return { uri: before.uri, edit: { range: before.range, newText: `${lineBreak}${text.trimEnd()}` } };
}

function touches(place: Range | undefined, range: Range): boolean {
  return place !== undefined && place.start.line <= range.end.line && range.start.line <= place.end.line;
}

/** The inputs of the tied model. */
function readerInput(snapshot: ScriptSnapshot): ReaderInput | undefined {
  const tied = snapshot.ties().map(({ model }) => model);
  const file = [...tied, ...namedModels(snapshot)].find((model) => /\.onnx$/i.test(model));
  const inputs = file === undefined ? undefined : snapshot.model(file).report?.model.inputs;
  const [input, ...others] = inputs ?? [];
  if (!input) return undefined;
  const [batch] = input.shape ?? [];
  return {
    name: input.name,
    ...(typeof batch === 'number' && batch > 0 ? { batch } : {}),
    anyBatch: typeof batch === 'string' || batch === null,
    ...(others.length > 0 && { others: others.map(({ name }) => name) }),
    type: /^(float16|float32|float64|u?int8|int32|int64)$/.test(input.type) ? input.type : 'float32',
  };
}
