/** How the batches of a loader are taken apart: as the script's own loops do it, its training step, its data set. */
import { definitionOf, type Scope } from '../script/names';
import { argument, type Call } from '../script/program';
import type { Expression, ForStatement } from '../script/syntax';
import type { DataScript, Loader } from './insert-data';
import { returnedBy } from './insert-networks';
import { nameOf } from './insert-place';

/** The first of several, or the batch itself; `dictionary` where inputs have names. */
export type BatchKind = 'several' | 'single' | 'dictionary';

export function batchKind(script: DataScript, loader: Pick<Loader, 'name' | 'pipeline'>): BatchKind {
  return (
    loopOver(script, loader.name) ??
    handedLoop(script, loader.name) ??
    trainingStep(script) ??
    collated(script, loader) ??
    ofDataSet(script, loader) ??
    'several'
  );
}

function loopOver({ text, program }: DataScript, loader: string, within?: Scope): BatchKind | undefined {
  for (const { loops, scope } of program.calls) {
    if (within && scope !== within) continue;
    for (const loop of loops) {
      const found = ofLoop(text, loop, loader);
      if (found) return found;
    }
  }
  return undefined;
}

function ofLoop(
  text: string,
  { target, iterable, span }: ForStatement,
  loader: string,
): BatchKind | undefined {
  const [over, isNumbered] = loopedOver(iterable);
  if (!over || text.slice(...over.span) !== loader) return undefined;
  const isPair = isNumbered && target.kind === 'tuple';
  const batch = isPair ? target.items[1] : target;
  if (!batch) return undefined;
  return batch.kind === 'name' ? usedAs(text.slice(...span), batch.name) : 'several';
}

/** What a loop goes over, inside of `enumerate` and progress bars. */
function loopedOver(iterable: Expression): readonly [over: Expression | undefined, isNumbered: boolean] {
  if (iterable.kind !== 'call') return [iterable, false];
  const called = iterable.callee.kind === 'attribute' ? iterable.callee.attribute : nameOf(iterable.callee);
  const inside = iterable.args[0]?.value;
  if (!/^(enumerate|tqdm|trange|track|islice|iter)$/.test(called) || !inside) return [iterable, false];
  const [over, isNumbered] = loopedOver(inside);
  return [over, isNumbered || called === 'enumerate'];
}

/** How code uses a batch that it calls by one name. */
function usedAs(body: string, batch: string): BatchKind {
  const used = (pattern: string) => new RegExp(`\\b${batch}${pattern}`).test(body);
  if (
    used('\\s*\\[\\s*["\']') ||
    used('\\.(items|keys|values)\\(') ||
    new RegExp(`\\*\\*${batch}\\b`).test(body)
  )
    return 'dictionary';
  const isUnpacked = new RegExp(`,[^=\\n]*=\\s*${batch}\\b`).test(body);
  return used('\\s*\\[\\s*0') || isUnpacked ? 'several' : 'single';
}

/** Loops of functions that are given the loader: `train(model, train_loader)`. */
function handedLoop(script: DataScript, loader: string): BatchKind | undefined {
  for (const call of script.program.calls) {
    const definition = definitionOf(call.expression.callee, call.scope);
    if (definition?.kind !== 'function') continue;
    const parameter = parameterGiven(script, call, definition.statement.parameters, loader);
    const found = parameter && loopOver(script, parameter, definition.scope);
    if (found) return found;
  }
  return undefined;
}

function parameterGiven(
  { text }: DataScript,
  { expression }: Call,
  parameters: readonly { readonly name: string }[],
  loader: string,
): string | undefined {
  const at = expression.args.findIndex(({ value }) => text.slice(...value.span) === loader);
  const given = expression.args[at];
  return given && (given.keyword ?? parameters[at]?.name);
}

/** What `training_step(self, batch, …)` of Lightning does with its batch. */
function trainingStep({ text, program }: DataScript): BatchKind | undefined {
  for (const { statement } of program.functions) {
    const batch = statement.name === 'training_step' ? statement.parameters[1]?.name : undefined;
    if (batch !== undefined) return usedAs(text.slice(...statement.span), batch);
  }
  return undefined;
}

/** What the function returns that puts the batches of the loader together: a tokenizer gives inputs by name. */
function collated({ program }: DataScript, { pipeline }: Pick<Loader, 'pipeline'>): BatchKind | undefined {
  const span = pipeline?.loader?.file === undefined ? pipeline?.loader?.span.join() : undefined;
  const call = program.calls.find(({ expression }) => expression.span.join() === span);
  const given = call && argument(call, 'collate_fn');
  if (!call || !given || given === 'hidden') return undefined;
  const made = definitionOf(given.value, call.scope);
  const returned =
    made?.kind === 'function'
      ? returnedBy(made.statement)[0]
      : given.value.kind === 'lambda'
        ? given.value.body
        : undefined;
  if (returned?.kind === 'tuple') return 'several';
  const isNamed =
    returned?.kind === 'call' && returned.args.some(({ keyword }) => keyword === 'return_tensors');
  return returned?.kind === 'dict' || isNamed ? 'dictionary' : undefined;
}

/** What `__getitem__` of the only data set of the script returns. */
function ofDataSet({ program }: DataScript, { pipeline }: Pick<Loader, 'pipeline'>): BatchKind | undefined {
  if (pipeline && !pipeline.doubts.some(({ kind }) => kind !== 'random') && pipeline.sources.length > 0)
    return undefined;
  const getters = program.functions.filter(
    ({ statement, class: owner }) => owner !== undefined && statement.name === '__getitem__',
  );
  const [only] = getters;
  if (!only || getters.length > 1) return undefined;
  const [returned] = returnedBy(only.statement);
  if (returned?.kind === 'dict') return 'dictionary';
  if (returned?.kind === 'tuple') return 'several';
  return undefined;
}
