/** What the blocks for scripts are made of: what they are told, their lines and imports, or why there is none. */
import type { NeededImport, OffsetEdit } from '../script/edit-imports';
import type { ModuleTree } from '../script/module-tree';
import type { Module } from '../script/syntax';
import type { CodePlan } from './code-plan';
import type { DataScript, Loader } from './insert-data';
import type { ExportedFile } from './insert-exports';
import { comment, quote } from './python';
import { unique } from './torchao-quantizer';

export const insertionKinds = ['static', 'training', 'onnxruntime', 'dynamic', 'torchao'] as const;
export type InsertionKind = (typeof insertionKinds)[number];

export interface InsertionInput extends DataScript {
  readonly module: Module;
  /** Networks of the script, and those that it imports. */
  readonly trees: readonly ModuleTree[];
  /** What a recipe decides, with the modules as the script names them; undefined = defaults for all layers. */
  readonly plan: CodePlan | undefined;
}

/** A block without indentation, what it needs, and edits elsewhere that belong to it. */
export interface Block {
  readonly lines: readonly string[];
  readonly imports: readonly NeededImport[];
  readonly edits?: readonly OffsetEdit[];
  /** Layers that the block leaves in float without being asked to, by their type: `Conv2d`. */
  readonly floats?: readonly string[];
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
  'unknown-layers',
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

/** What has to be said of the data that gives the ranges. */
export function loaderNotes({ name, isHeldOut, isRandom }: Loader): readonly string[] {
  if (isHeldOut)
    return [
      comment(
        `Note: ranges come from ${name}, for no other loader can be used here. Training data is better for calibration; accuracy on this data must not be reported afterwards.`,
      ),
    ];
  if (!isRandom) return [];
  return [
    comment(
      `Note: ${name} changes its pictures at random, and ranges with them. A loader with the transforms of validation gives better ones.`,
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

/** Python for the name of a file beside the exported one: `net.int8.onnx`. */
export function fileName({ text, name }: ExportedFile, suffix: string): string {
  return name === undefined
    ? `str(${text}).replace(".onnx", ${quote(suffix)})`
    : quote(name.replace(/(\.onnx)?$/i, suffix));
}
