/**
 * The life of a network in torch.ao.quantization: which stage a call is, in which mode the network is there, and
 * whether anything unknown may have touched it before. All answers are `undefined` when they are not certain.
 */
import { canonicalPath } from '../../script/catalog';
import { type Event, type Flow, madeBy, type Tracked } from '../../script/flow';
import type { ModuleTree } from '../../script/module-tree';
import { definitionOf, type Scope, soleBinding } from '../../script/names';
import { argument, type Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { allStatements, callsLike, inFlows, type ScriptFacts, textAt } from './script-rule';

export type Stage = 'fuse' | 'fuse-qat' | 'prepare' | 'prepare-qat' | 'convert';
export type FlowKind = 'eager' | 'fx' | 'pt2e';

const stages: Readonly<Record<string, readonly [Stage, FlowKind]>> = {
  'torch.ao.quantization.fuse_modules': ['fuse', 'eager'],
  'torch.ao.quantization.fuse_modules_qat': ['fuse-qat', 'eager'],
  'torch.ao.quantization.prepare': ['prepare', 'eager'],
  'torch.ao.quantization.prepare_qat': ['prepare-qat', 'eager'],
  'torch.ao.quantization.convert': ['convert', 'eager'],
  'torch.ao.quantization.prepare_fx': ['prepare', 'fx'],
  'torch.ao.quantization.prepare_qat_fx': ['prepare-qat', 'fx'],
  'torch.ao.quantization.convert_fx': ['convert', 'fx'],
  'torch.ao.quantization.prepare_pt2e': ['prepare', 'pt2e'],
  'torch.ao.quantization.prepare_qat_pt2e': ['prepare-qat', 'pt2e'],
  'torch.ao.quantization.convert_pt2e': ['convert', 'pt2e'],
  'torchao.quantization.pt2e.prepare_pt2e': ['prepare', 'pt2e'],
  'torchao.quantization.pt2e.prepare_qat_pt2e': ['prepare-qat', 'pt2e'],
  'torchao.quantization.pt2e.convert_pt2e': ['convert', 'pt2e'],
};

/** Stage of a call, or undefined for any other call. */
export function stageOf(call: Call): { readonly stage: Stage; readonly flow: FlowKind } | undefined {
  const found = call.path === undefined ? undefined : stages[canonicalPath(call.path)];
  return found && { stage: found[0], flow: found[1] };
}

/** A network at one of its stages, with what happened before and after. */
export interface StageEvent {
  readonly event: Event;
  readonly stage: Stage;
  readonly flow: FlowKind;
  readonly network: Tracked;
  readonly before: readonly Event[];
  readonly after: readonly Event[];
}

/** All certain stage calls of all networks of a script. */
export function stageEvents(facts: ScriptFacts): readonly StageEvent[] {
  return inFlows(facts, stagesOfFlow);
}

function stagesOfFlow({ events }: Flow): readonly StageEvent[] {
  return [...events].flatMap(([network, history]) => stagesIn(network, history));
}

function stagesIn(network: Tracked, events: readonly Event[]): readonly StageEvent[] {
  return events.flatMap((event, at) => {
    const found = stageOf(event.call);
    // The network is the first argument; anything else there is an example input or a list of names.
    const isNetwork = event.role === 'argument' && (event.argument === 0 || event.argument === 'model');
    if (!found || !isNetwork || !event.certain) return [];
    return [{ event, ...found, network, before: events.slice(0, at), after: events.slice(at + 1) }];
  });
}

/** `train` or `eval` after these events; the mode of a new module is `train`. Undefined when it is not certain. */
export function modeAfter(network: Tracked, events: readonly Event[]): 'train' | 'eval' | undefined {
  let mode: 'train' | 'eval' | undefined = isNewModule(network) ? 'train' : undefined;
  for (const { call, role, certain, opaque } of events) {
    if (role === 'receiver' && (call.name === 'eval' || call.name === 'train')) {
      const [first] = call.expression.args;
      const off = call.name === 'train' && first !== undefined;
      mode = !certain || off ? undefined : call.name;
    } else if (role === 'argument' && opaque) mode = undefined;
  }
  return mode;
}

/** A module of this file or of torchvision, made by its constructor: in training mode, nothing done to it yet. */
export function isNewModule(network: Tracked): boolean {
  const maker = madeBy(network);
  if (maker?.name !== undefined) return !isWrapper(network);
  return (
    maker?.path !== undefined &&
    /^torchvision\.models\.(quantization\.)?[a-z]\w*(\.[a-z]\w*)?$/.test(maker.path)
  );
}

const networkName = /model|module|backbone|encoder|decoder|(^|_)net(work)?(_|$)/i;

/** A class that is given a network to hold: its parts have the mode, and the history, that they had before. */
function isWrapper({ origin, originScope }: Tracked): boolean {
  return (
    origin?.kind === 'call' &&
    origin.args.some(({ value }) => {
      if (value.kind === 'attribute') return networkName.test(value.attribute);
      if (value.kind !== 'name') return false;
      const binding = originScope && soleBinding(originScope, value.name);
      const made = binding?.kind === 'variable' ? binding.value : undefined;
      return networkName.test(value.name) || (made !== undefined && makesModule(made, originScope));
    })
  );
}

/** `Net(…)`, `Net(…).eval()` of a class of the file. */
function makesModule(made: Expression, scope: Scope | undefined): boolean {
  if (made.kind !== 'call' || !scope) return false;
  if (made.callee.kind === 'attribute') return makesModule(made.callee.object, scope);
  return definitionOf(made.callee, scope)?.kind === 'class';
}

/** True when unknown code was given the network in these events. */
export function mayBeTouched(events: readonly Event[]): boolean {
  return events.some(({ opaque, role }) => opaque && role === 'argument');
}

/** Trees of the class that made a network, when it is one of this file. */
export function treesOf(facts: ScriptFacts, network: Tracked): readonly ModuleTree[] {
  const name = madeBy(network)?.name;
  return name === undefined ? [] : facts.trees().filter((tree) => tree.name === name);
}

const withoutRanges = /dynamic|weight_only/i;

/**
 * True when a preparation is set up for dynamic or weight-only quantization, which needs no calibration: what is
 * written last before it as configuration argument (FX) or assigned to a `qconfig` (eager) says so.
 */
export function needsNoRanges(facts: ScriptFacts, preparation: Call, flow: FlowKind): boolean {
  const at = preparation.expression.span[0];
  if (flow === 'eager') return withoutRanges.test(lastAssigned(facts, /\.qconfig$/, at) ?? '');
  const given = argument(preparation, 'qconfig_mapping', 1) ?? argument(preparation, 'qconfig_dict', 1);
  if (!given || given === 'hidden') return false;
  const written = textAt(facts, given.value.span);
  if (withoutRanges.test(written)) return true;
  return given.value.kind === 'name' && withoutRanges.test(lastAssigned(facts, exactly(written), at) ?? '');
}

function exactly(name: string): RegExp {
  return new RegExp(`^${name}$`);
}

/** Text of the last value assigned to a target of this name before a place, wherever in the file. */
function lastAssigned(facts: ScriptFacts, target: RegExp, before: number): string | undefined {
  let found: string | undefined;
  for (const statement of allStatements(facts)) {
    if (statement.span[0] >= before) break;
    if (statement.kind !== 'assign' || !statement.value) continue;
    if (statement.targets.some(({ span }) => target.test(textAt(facts, span))))
      found = textAt(facts, statement.value.span);
  }
  return found;
}

/** True when something in the file trains: a backward pass, a `fit`, a function named after training. */
export function trains(facts: ScriptFacts): boolean {
  return callsLike(facts, isTraining).length > 0;
}

function isTraining({ name, receiver }: Call): boolean {
  return (
    name === 'backward' || name === 'fit' || (receiver === undefined && /train|finetune|fit_/i.test(name))
  );
}

/** True for a call that prepares for training with quantization. */
export function preparesTraining(call: Call): boolean {
  return stageOf(call)?.stage === 'prepare-qat';
}
