/** Which data a loader's name stands for, also where a function makes several and hands them out. */
import { canonicalPath } from '../script/catalog';
import type { DataPipeline } from '../script/data-pipeline';
import { lookUp, pathOf, type Scope } from '../script/names';
import { type Expression, type FunctionStatement, type Span, statementsIn } from '../script/syntax';
import type { DataScript } from './insert-data';
import { definitionIn, fileOf, returnedBy } from './insert-networks';

/** Functions that hand on what another one made. */
const MAXIMUM_DEPTH = 4;

/** The call that makes a value. */
interface Making {
  readonly span: Span;
  readonly file: string;
  /** True for a call of DataLoader itself. */
  readonly isLoader: boolean;
}

/** The pipeline of a loader as code in a scope names it: by the call that made it, else by its name. */
export function pipelineOf(script: DataScript, scope: Scope, name: string): DataPipeline | undefined {
  const made = makerOf(script, scope, fileOf(script), name, 0);
  return (
    (made && pipelineMadeBy(script, made)) ?? script.pipelines.find(({ loader }) => loader?.name === name)
  );
}

/** The pipeline whose loader a call makes. */
export function pipelineMadeBy(
  script: DataScript,
  { span, file }: Pick<Making, 'span' | 'file'>,
): DataPipeline | undefined {
  return script.pipelines.find(
    ({ loader }) => loader?.span.join() === span.join() && (loader.file ?? fileOf(script)) === file,
  );
}

/** True for a call of DataLoader, and of a function that hands out one. */
export function isMadeAsLoader(script: DataScript, value: Expression, scope: Scope, file: string): boolean {
  return madeBy(script, scope, file, value, undefined, 0)?.isLoader ?? false;
}

/** A loader among what a function returns. */
export interface Returned {
  /** Its position among several values; undefined = the value itself. */
  readonly at: number | undefined;
  readonly count: number;
  /** What the function calls it. */
  readonly label: string | undefined;
  readonly pipeline: DataPipeline | undefined;
}

export function returnedLoaders(
  script: DataScript,
  statement: FunctionStatement,
  scope: Scope,
  file: string,
): readonly Returned[] {
  const [returned] = returnedBy(statement);
  if (!returned) return [];
  const isList = returned.kind === 'tuple' || returned.kind === 'list';
  const items = isList ? returned.items : [returned];
  return items.flatMap((item, at): readonly Returned[] => {
    const made = madeBy(script, scope, file, item, undefined, 0);
    if (!made?.isLoader) return [];
    const label = item.kind === 'name' ? item.name : undefined;
    const pipeline = pipelineMadeBy(script, made);
    return [{ at: isList ? at : undefined, count: items.length, label, pipeline }];
  });
}

/** The call that makes what a name stands for. */
function makerOf(
  script: DataScript,
  scope: Scope,
  file: string,
  name: string,
  depth: number,
): Making | undefined {
  const binding = lookUp(scope, name).at(-1);
  if (binding?.kind !== 'variable') return undefined;
  if (binding.value) return madeBy(script, scope, file, binding.value, undefined, depth);
  for (const one of around(script, scope, file)) {
    if (one.kind !== 'assign' || !one.value) continue;
    for (const target of one.targets) {
      if (target.kind !== 'tuple' && target.kind !== 'list') continue;
      const at = target.items.findIndex(({ span }) => span.join() === binding.span.join());
      if (at >= 0) return madeBy(script, scope, file, one.value, at, depth);
    }
  }
  return undefined;
}

/** Statements that can bind a name of a scope. */
function around({ program, ...script }: DataScript, scope: Scope, file: string) {
  if (file === fileOf({ program, ...script }))
    return program.units.flatMap(({ statement }) => [...statementsIn([statement])]);
  return scope.statement ? [...statementsIn(scope.statement.body)] : [];
}

/** @param at which of several values is meant; undefined = the value itself. */
function madeBy(
  script: DataScript,
  scope: Scope,
  file: string,
  value: Expression,
  at: number | undefined,
  depth: number,
): Making | undefined {
  if (depth > MAXIMUM_DEPTH) return undefined;
  if (at !== undefined && (value.kind === 'tuple' || value.kind === 'list')) {
    const item = value.items[at];
    return item && madeBy(script, scope, file, item, undefined, depth + 1);
  }
  if (value.kind === 'name' && at === undefined) return makerOf(script, scope, file, value.name, depth + 1);
  if (value.kind !== 'call') return undefined;
  const maker = definitionIn(script, value.callee, scope, file);
  if (maker?.kind !== 'function') {
    const path = pathOf(value.callee, scope);
    const isLoader = path !== undefined && canonicalPath(path).endsWith('utils.data.DataLoader');
    return at === undefined ? { span: value.span, file, isLoader } : undefined;
  }
  const [returned] = returnedBy(maker.statement);
  return returned && madeBy(script, maker.scope, maker.file, returned, at, depth + 1);
}
