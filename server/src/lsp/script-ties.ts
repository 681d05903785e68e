/**
 * Which model holds the weights of the networks that a script defines: one the script names in a comment, one it
 * exports, or one that lies beside it. Headers are read, nothing is run; how sure it is, is told.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { AnalysisReport } from '../protocol/reports';
import type { AnalyzedScript } from '../rules/script/analyze';
import { isFloat } from '../rules/stored-type';
import { canonicalPath } from '../script/catalog';
import type { Place } from '../script/interpret-values';
import type { ModuleTree } from '../script/module-tree';
import { pathText } from '../script/paths';
import type { Call, Program } from '../script/program';
import { type Expression, parts } from '../script/syntax';
import { type Tie, tiesOf } from '../script/tie';
import type { Span } from './convert';

/** A network of the script and the model that fits it best. */
export interface ScriptTie extends Tie {
  /** Path of the model. */
  readonly model: string;
  /** Other models that fit as well. */
  readonly alsoFits: readonly string[];
}

/** A call that writes a model file under a constant name. */
export interface ExportCall {
  readonly span: Span;
  /** Path of the file that can be opened; it need not exist. */
  readonly model: string;
}

/** Door to models: headers come from memory. */
export interface Headers {
  header(file: string): { readonly value?: AnalysisReport | undefined };
}

const extensions = /\.(onnx|safetensors|safetensors\.index\.json)$/i;

/** One part of weights that are spread over files: their index stands for all. */
const shard = /-\d{5}-of-\d{5}\.safetensors$/i;

/** A checkpoint cannot be read, but what is converted from it has its name. */
const checkpoints = /\.(pt|pth|th|tar|pt2|ckpt|bin|h5|keras)$/i;

/** Files looked at around a script. */
const MAX_FILES = 32;

/** Folders looked into below that of the script. */
const MAX_FOLDERS = 24;

/** Calls that write a model, by canonical path. */
const writers: ReadonlySet<string> = new Set([
  'torch.onnx.export',
  'torch.onnx.dynamo_export',
  'torch.save',
  'torch.jit.save',
  'torch.export.save',
  'onnx.save',
  'onnx.save_model',
  'safetensors.torch.save_file',
  'safetensors.torch.save_model',
  'tf2onnx.convert.from_keras',
  'onnxruntime.quantization.quantize_static',
  'onnxruntime.quantization.quantize_dynamic',
]);

/** Methods that write the model they belong to. */
const writingMethods: ReadonlySet<string> = new Set(['save_pretrained', 'save', 'export', 'to_onnx']);

/** Calls of a script that write a model, the file's name being constant. */
export function exportCalls(script: Pick<AnalyzedScript, 'file' | 'program'>): readonly ExportCall[] {
  const folder = path.dirname(script.file);
  return script.program.calls.flatMap((call) => {
    if (!writes(call)) return [];
    const named = targets(call).flatMap((value) => stringsIn(value, call, script.program));
    const files = named.flatMap((name) => filesNamed(folder, name, call.name));
    const model = files.find((file) => fs.existsSync(file)) ?? files[0];
    return model === undefined ? [] : [{ span: call.nameSpan, model }];
  });
}

function writes(call: Call): boolean {
  if (call.path !== undefined && writers.has(canonicalPath(call.path))) return true;
  return call.receiver !== undefined && writingMethods.has(call.name);
}

/** Arguments that may name the file; a folder is only looked for where one is meant. */
function targets({ name, expression: { args } }: Call): readonly Expression[] {
  if (name !== 'save_pretrained') return args.map(({ value }) => value);
  const folder = args.find(({ keyword }) => keyword === 'save_directory') ?? args[0];
  return folder && folder.star === undefined ? [folder.value] : [];
}

/** Constant texts inside an argument: `HERE / "net.onnx"` names one as well. */
function stringsIn(expression: Expression, call: Call, program: Program): readonly string[] {
  const whole = pathText(expression, call, program);
  if (whole !== undefined) return [whole];
  // What a call inside makes of its text is not known, but a path it stays.
  return [...parts(expression)].flatMap((part) => stringsIn(part, call, program));
}

function filesNamed(folder: string, name: string, method: string): readonly string[] {
  if (name === '' || name.length > MAX_NAME || name.includes('\0')) return [];
  const file = path.resolve(folder, name);
  if (extensions.test(name)) return [file];
  if (checkpoints.test(name)) {
    const stem = file.replace(checkpoints, '');
    return [`${stem}.onnx`, `${stem}.safetensors`];
  }
  if (method !== 'save_pretrained') return [];
  return pretrainedFiles.map((one) => path.join(file, one));
}

/** Names that libraries give the weights in the folder they write, the usual one first. */
const pretrainedFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'model.onnx',
  'diffusion_pytorch_model.safetensors',
];

const MAX_NAME = 1024;

/** Models that may belong to a script. Those its comments name leave no doubt: no others are looked at. */
export interface Candidates {
  readonly named: readonly string[];
  readonly exported: readonly string[];
  readonly nearby: readonly string[];
}

/** @param nearby model files around the script, see {@link modelsAround}. */
export function candidatesOf(script: AnalyzedScript, nearby: readonly string[]): Candidates {
  const folder = path.dirname(script.file);
  const named = script.suppressions.models.map((one) => path.resolve(folder, one.path));
  const exported = exportCalls(script).map(({ model }) => model);
  return { named, exported, nearby };
}

/** Folders above a script that are looked into as well, inside the workspace. */
const MAX_ABOVE = 3;

/**
 * Model files in the folder of a script and one level below, then the same of the folders above it, as far as the
 * workspace reaches; nearest first, then in the order of their paths.
 */
export function modelsAround(
  script: string,
  maximumBytes: number,
  workspace: readonly string[] = [],
): readonly string[] {
  const found = new Set<string>();
  const root = workspace.find((folder) => isInside(script, folder));
  let folder = path.dirname(script);
  for (let step = 0; step <= MAX_ABOVE && found.size < MAX_FILES; step++) {
    for (const file of modelsBelow(folder)) found.add(file);
    if (root === undefined || folder === path.resolve(root)) break;
    folder = path.dirname(folder);
  }
  return [...found].slice(0, MAX_FILES).filter((file) => sizeOf(file) <= maximumBytes);
}

/** True for a file in a folder or in one below it. */
export function isInside(file: string, folder: string): boolean {
  const way = path.relative(folder, file);
  return way !== '' && !way.startsWith('..') && !path.isAbsolute(way);
}

function modelsBelow(folder: string): readonly string[] {
  const inside = entriesOf(folder);
  const folders = inside
    .filter((entry) => entry.isDirectory() && !/^[._]|^node_modules$|^venv$|^site-packages$/.test(entry.name))
    .slice(0, MAX_FOLDERS)
    .map(({ name }) => path.join(folder, name));
  return [...modelsIn(folder, inside), ...folders.flatMap((below) => modelsIn(below, entriesOf(below)))];
}

function modelsIn(folder: string, entries: readonly fs.Dirent[]): readonly string[] {
  return entries
    .filter((entry) => entry.isFile() && extensions.test(entry.name) && !shard.test(entry.name))
    .map(({ name }) => path.join(folder, name))
    .sort();
}

function entriesOf(folder: string): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** True for a folder or a NumPy file, which can be calibrated with. */
export function isData(file: string): boolean {
  try {
    return fs.statSync(file).isDirectory() || /\.np[yz]$/i.test(file);
  } catch {
    return false;
  }
}

function sizeOf(file: string): number {
  try {
    return fs.statSync(file).size;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

interface Scored extends Tie {
  readonly model: string;
  /** Smaller is better: how the model was found, and whether it is quantized. */
  readonly rank: number;
}

/** The best model for every network; of networks only those that a model fits best. */
export function scriptTies(
  trees: readonly ModuleTree[],
  { named, exported, nearby }: Candidates,
  headers: Headers,
): readonly ScriptTie[] {
  if (trees.length === 0) return [];
  const ranked: readonly (readonly [files: readonly string[], rank: number])[] =
    named.length > 0
      ? [[named, 0]]
      : [
          [exported, 2],
          [nearby, 4],
        ];
  const seen = new Set<string>();
  const scored = ranked.flatMap(([files, rank]) =>
    files.flatMap((model): Scored[] => {
      if (seen.has(model)) return [];
      seen.add(model);
      const layers = headers.header(model).value?.layers ?? [];
      const ties = tiesOf(trees, layers, named.length > 0);
      const best = ties[0]?.score ?? 0;
      const quantized = layers.some((layer) => !isFloat(layer)) ? 1 : 0;
      return ties
        .filter(({ score }) => score === best)
        .map((tie) => ({ ...tie, model, rank: rank + quantized }));
    }),
  );
  const ties = trees.flatMap((tree): ScriptTie[] => {
    const mine = scored.filter((one) => one.tree === tree).sort(better);
    const [best] = mine;
    if (!best) return [];
    const alsoFits = mine.filter((one) => better(best, one) === 0).map(({ model }) => model);
    const { rank: _, ...tie } = best;
    return [{ ...tie, alsoFits: alsoFits.filter((model) => model !== best.model) }];
  });
  return ties.sort((one, other) => other.score - one.score);
}

/** A better score first, then names before shapes, then how the model was found. */
function better(one: Scored, other: Scored): number {
  return (
    other.score - one.score ||
    Number(other.by === 'names') - Number(one.by === 'names') ||
    one.rank - other.rank
  );
}

/** What makes a difference to whoever sees ties: which line makes which layers of which model. */
export function signature(ties: readonly ScriptTie[]): string {
  return JSON.stringify(
    ties.map(({ model, alsoFits, pairs }) => [
      model,
      alsoFits,
      [...pairs].map(([{ place }, name]) => [place.span, name]),
    ]),
  );
}

/**
 * Ties of an older text of a file where their calls stand in a newer one; calls that were typed in are left out, those
 * in other files stay.
 */
export function movedTies(
  ties: readonly ScriptTie[],
  file: string,
  before: string,
  after: string,
): readonly ScriptTie[] {
  if (ties.length === 0 || before === after) return ties;
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before.charCodeAt(head) === after.charCodeAt(head)) head++;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const delta = after.length - before.length;
  const move = (place: Place): Place | undefined => {
    const [start, end] = place.span;
    if (place.file !== file) return place;
    // Spans move with the text they belong to: these are of the text as it was.
    if (end <= head) return { file, span: [start, end] };
    return start >= before.length - tail ? { file, span: [start + delta, end + delta] } : undefined;
  };
  return ties.map((tie) => {
    const pairs = [...tie.pairs].flatMap(([layer, name]) => {
      const place = move(layer.place);
      const around = layer.around.flatMap((one) => move(one) ?? []);
      return place ? [[{ ...layer, place, around }, name] as const] : [];
    });
    return { ...tie, pairs: new Map(pairs) };
  });
}
