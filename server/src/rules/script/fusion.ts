/** What the lists given to `fuse_modules` name, and whether a network's mode matters to fusing and preparing it. */
import type { Tracked } from '../../script/flow';
import { argument, type Call } from '../../script/program';
import type { Expression, Span } from '../../script/syntax';
import { evaluate, type Value } from '../../script/values';
import type { ScriptFacts } from './script-rule';
import { treesOf } from './torch-life';

/** Modules that are to become one. */
export interface FusedSequence {
  /** Undefined when they are computed. */
  readonly names: readonly string[] | undefined;
  /** `Conv`, `BatchNorm`, `ReLU`; undefined for modules of other libraries or of a network that is not known. */
  readonly types: readonly (string | undefined)[];
  readonly span: Span;
}

/** The sequences written in a `fuse_modules` call; none when the whole list is computed. */
export function fusedSequences(facts: ScriptFacts, call: Call, network: Tracked): readonly FusedSequence[] {
  const list = argument(call, 'modules_to_fuse', 1);
  if (!list || list === 'hidden' || list.value.kind !== 'list') return [];
  const [tree, ...others] = treesOf(facts, network);
  const leaves = others.length === 0 ? tree?.leaves : undefined;
  const items = list.value.items.every((item) => item.kind === 'list') ? list.value.items : [list.value];
  return items.map((sequence: Expression) => {
    const names = namesIn(evaluate(sequence, call.scope));
    return { names, types: (names ?? []).map((name) => shortType(leaves?.get(name))), span: sequence.span };
  });
}

/** True when every sequence of a call certainly has no BatchNormalization: fusing it is the same in both modes. */
export function foldsNothing(facts: ScriptFacts, call: Call, network: Tracked): boolean {
  const all = fusedSequences(facts, call, network);
  return (
    all.length > 0 &&
    all.every(
      ({ names, types }) =>
        names !== undefined &&
        (types.every((type) => type !== undefined && type !== 'BatchNorm') || isActivationPair(names)),
    )
  );
}

/** `['conv1', 'relu1']`: two modules, the second an activation by its name. */
function isActivationPair(names: readonly string[]): boolean {
  return names.length === 2 && /(relu|act)\w*$/i.test(names[1] ?? '');
}

/** True when every module of a network is known and none of them acts differently in training. */
export function isAlikeInBothModes(facts: ScriptFacts, network: Tracked): boolean {
  if (/dropout|self\.training/i.test(facts.text)) return false;
  const trees = treesOf(facts, network);
  return (
    trees.length > 0 &&
    trees.every(({ leaves }) =>
      [...leaves.values()].every((type) => /^torch\.\S+$/.test(type) && !/Norm/.test(type)),
    )
  );
}

function namesIn(value: Value): readonly string[] | undefined {
  if (value.kind !== 'list') return undefined;
  const names = value.items.map((item) => (item.kind === 'string' ? item.value : undefined));
  return names.every((name) => name !== undefined) ? names : undefined;
}

/** `torch.nn.Conv2d` → `Conv`; undefined for a module that is not there or is of this file. */
function shortType(type: string | undefined): string | undefined {
  return type?.startsWith('torch.nn.') ? type.slice('torch.nn.'.length).replace(/[123]d$/, '') : undefined;
}
