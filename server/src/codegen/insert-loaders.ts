/** Which data a loader's name stands for, also where a function makes several and hands them out. */
import type { DataPipeline } from '../script/data-pipeline';
import { definitionOf, lookUp, type Scope } from '../script/names';
import type { Program } from '../script/program';
import { type Expression, type FunctionStatement, type Span, statementsIn } from '../script/syntax';

/** Functions that hand on what another one made. */
const MAXIMUM_DEPTH = 4;

/** The pipeline of a loader as code in a scope names it: by the call that made it, else by its name. */
export function pipelineOf(
  program: Program,
  scope: Scope,
  name: string,
  pipelines: readonly DataPipeline[],
): DataPipeline | undefined {
  const made = makerOf(program, scope, name, 0);
  return (
    (made && pipelines.find(({ loader }) => loader?.span.join() === made.join())) ??
    pipelines.find(({ loader }) => loader?.name === name)
  );
}

/** The call that makes what a name stands for. */
function makerOf(program: Program, scope: Scope, name: string, depth: number): Span | undefined {
  const binding = lookUp(scope, name).at(-1);
  if (binding?.kind !== 'variable') return undefined;
  if (binding.value) return madeBy(program, scope, binding.value, undefined, depth);
  for (const { statement } of program.units)
    for (const one of statementsIn([statement])) {
      if (one.kind !== 'assign' || !one.value) continue;
      for (const target of one.targets) {
        if (target.kind !== 'tuple' && target.kind !== 'list') continue;
        const at = target.items.findIndex(({ span }) => span.join() === binding.span.join());
        if (at >= 0) return madeBy(program, scope, one.value, at, depth);
      }
    }
  return undefined;
}

/** @param at which of several values is meant; undefined = the value itself. */
function madeBy(
  program: Program,
  scope: Scope,
  value: Expression,
  at: number | undefined,
  depth: number,
): Span | undefined {
  if (depth > MAXIMUM_DEPTH) return undefined;
  if (at !== undefined && (value.kind === 'tuple' || value.kind === 'list')) {
    const item = value.items[at];
    return item && madeBy(program, scope, item, undefined, depth + 1);
  }
  if (value.kind === 'name' && at === undefined) return makerOf(program, scope, value.name, depth + 1);
  if (value.kind !== 'call') return undefined;
  const maker = definitionOf(value.callee, scope);
  if (maker?.kind !== 'function') return at === undefined ? value.span : undefined;
  const returned = lastReturned(maker.statement);
  return returned && madeBy(program, maker.scope, returned, at, depth + 1);
}

function lastReturned({ body }: FunctionStatement): Expression | undefined {
  const own = statementsIn(body, ({ kind }) => kind !== 'function' && kind !== 'class');
  return [...own].flatMap((one) => (one.kind === 'return' && one.value ? [one.value] : [])).at(-1);
}
