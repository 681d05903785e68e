/**
 * Blocks for a script that quantize its network: static quantization and fine-tuning with PT2E, `quantize_` of torchao,
 * `quantize_static` and `quantize_dynamic` behind an export. They use the script's own names, say what the recipe of the
 * model decides where one is known, and come as edits of the text with the imports merged.
 */
import { importEdits } from '../script/edit-imports';
import {
  type Block,
  type InsertionInput,
  type InsertionKind,
  insertionKinds,
  type Refusal,
  refusal,
} from './insert-block';
import { stands } from './insert-done';
import { dynamicBlock } from './insert-dynamic';
import { exportedBlock } from './insert-exported';
import { quantizeStaticBlock } from './insert-onnx';
import { type Place, placesAt } from './insert-place';
import { tensorBlock } from './insert-tensor';

export { type InsertionInput, type InsertionKind, insertionKinds, type Refusal } from './insert-block';

export interface Insertion {
  readonly kind: InsertionKind;
  readonly edits: readonly { readonly start: number; readonly end: number; readonly text: string }[];
  /** Types of the layers that it leaves in float without being asked to: `Conv2d`, once for each. */
  readonly floats: readonly string[];
}

/** A kind of block: its edits, or why there is none. */
export type Offer = Insertion | (Refusal & { readonly kind: InsertionKind });

/** Every kind of block for the network that an offset speaks of; empty where it speaks of none, or the code is broken. */
export function offersAt(input: InsertionInput, offset: number): readonly Offer[] {
  if (!input.module.complete) return [];
  const places = placesAt(input, offset);
  return places.length === 0 ? [] : insertionKinds.map((kind) => offerOf(input, kind, places));
}

/** The block at the first place that has all it needs; else what is missing where the network is exported or made. */
function offerOf(input: InsertionInput, kind: InsertionKind, places: readonly Place[]): Offer {
  let lacking: Refusal | undefined;
  for (const place of places) {
    if (stands(input, place, kind)) return { kind, ...refusal('done', place.model) };
    const block = blockOf(kind, input, place);
    if ('lines' in block) return insertion(input, kind, place, block);
    if (!lacking || lacking.lack === 'no-export') lacking = block;
  }
  return { kind, ...(lacking ?? refusal('no-export')) };
}

function insertion(input: InsertionInput, kind: InsertionKind, place: Place, block: Block): Insertion {
  const edits = [
    ...(block.edits ?? []),
    ...importEdits(input, block.imports, place.at),
    blockEdit(input.text, place, block),
  ];
  return {
    kind,
    edits: edits.sort((one, other) => one.start - other.start),
    floats: block.floats ?? [],
  };
}

/** What can be inserted for the network that an offset speaks of; nothing that is done for it already. */
export function insertionsAt(input: InsertionInput, offset: number): readonly Insertion[] {
  return offersAt(input, offset).filter((offer): offer is Insertion => 'edits' in offer);
}

function blockOf(kind: InsertionKind, input: InsertionInput, place: Place): Block | Refusal {
  switch (kind) {
    case 'static':
      return exportedBlock(input, place, false);
    case 'training':
      return exportedBlock(input, place, true);
    case 'onnxruntime':
      return quantizeStaticBlock(input, place);
    case 'dynamic':
      return dynamicBlock(input, place);
    case 'torchao':
      return tensorBlock(input, place);
  }
}

function blockEdit(
  text: string,
  { at, isBehind, indent }: Place,
  { lines }: Block,
): Insertion['edits'][number] {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const step = indent.includes('\t') || /^\t/m.test(text) ? '\t' : '    ';
  const written = lines
    .join('\n')
    .split('\n')
    .map((line) => {
      const [blanks = ''] = /^ */.exec(line) ?? [];
      const inner = step.repeat(blanks.length / 4) + line.slice(blanks.length);
      return line === '' ? '' : indent + inner;
    })
    .join(lineBreak);
  const inserted = isBehind
    ? `${lineBreak}${lineBreak}${written}`
    : `${lineBreak}${written}${lineBreak}${lineBreak}`;
  return { start: at, end: at, text: inserted };
}
