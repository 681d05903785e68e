/** What the blocks for scripts are made of: what they are told, their lines and imports, or why there is none. */
import type { DataPipeline } from '../script/data-pipeline';
import type { NeededImport, OffsetEdit } from '../script/edit-imports';
import type { ModuleTree } from '../script/module-tree';
import { argument, type Program } from '../script/program';
import type { Module } from '../script/syntax';
import { evaluate, stringOf } from '../script/values';
import type { CodePlan } from './code-plan';
import type { Loader, Place } from './insert-place';
import { comment, quote } from './python';
import { unique } from './torchao-quantizer';

export const insertionKinds = ['static', 'training', 'onnxruntime', 'dynamic', 'torchao'] as const;
export type InsertionKind = (typeof insertionKinds)[number];

export interface InsertionInput {
  readonly text: string;
  readonly module: Module;
  readonly program: Program;
  readonly trees: readonly ModuleTree[];
  readonly pipelines: readonly DataPipeline[];
  /** What a recipe decides, with the modules as the script names them; undefined = defaults for all layers. */
  readonly plan: CodePlan | undefined;
}

/** A block without indentation, what it needs, and edits elsewhere that belong to it. */
export interface Block {
  readonly lines: readonly string[];
  readonly imports: readonly NeededImport[];
  readonly edits?: readonly OffsetEdit[];
}

/** Why there is no block: something that the script lacks, or that the recipe decides otherwise. */
export const lacks = [
  'done',
  'no-loader',
  'only-held-out',
  'dictionaries',
  'no-labels',
  'random',
  'no-reader',
  'no-export',
  'no-file',
  'no-matrices',
  'only-output',
  'convolutional',
  'recipe',
] as const;
export type Lack = (typeof lacks)[number];

export interface Refusal {
  readonly lack: Lack;
  /** A name of the script that it is about; empty where there is none. */
  readonly name: string;
}

export function refusal(lack: Lack, name = ''): Refusal {
  return { lack, name };
}

/** First line of a block: what it does and who decided. */
export function heading(what: string, plan: CodePlan | undefined): string {
  return comment(plan?.recipe === undefined ? `${what}.` : `${what}, as ${plan.recipe} decides.`);
}

/** What has to be said where a test set gives the ranges. */
export function heldOutNote({ name, isHeldOut }: Loader): readonly string[] {
  if (!isHeldOut) return [];
  return [
    comment(
      `Note: ranges come from ${name}, for no other loader can be used here. Training data is better for calibration; accuracy on this data must not be reported afterwards.`,
    ),
  ];
}

export function named({
  module,
  names,
}: {
  readonly module: string;
  readonly names: readonly string[];
}): NeededImport {
  return { module, names: [...unique(names)].sort().map((name) => ({ name })) };
}

/** The file argument of an export call: its text, and its name where that is known. */
export function exportedFile(
  { text }: Pick<InsertionInput, 'text'>,
  { exported }: Place,
): { readonly text: string; readonly name: string | undefined } | undefined {
  if (!exported) return undefined;
  const given = argument(exported, 'f', 2);
  if (!given || given === 'hidden') return undefined;
  const { value } = given;
  const name = value.kind === 'constant' ? stringOf(evaluate(value, exported.scope)) : undefined;
  return { text: text.slice(value.span[0], value.span[1]), name };
}

/** Python for the name of a file beside the exported one: `net.int8.onnx`. */
export function fileName(
  { text, name }: { readonly text: string; readonly name: string | undefined },
  suffix: string,
): string {
  return name === undefined
    ? `str(${text}).replace(".onnx", ${quote(suffix)})`
    : quote(name.replace(/(\.onnx)?$/i, suffix));
}
