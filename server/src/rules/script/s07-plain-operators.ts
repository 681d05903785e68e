/** S07: sums and concatenations of tensors that eager quantization cannot observe. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import {
  type Expression,
  type FunctionStatement,
  type Span,
  type Statement,
  statementsIn,
} from '../../script/syntax';
import { expressionsIn, quantizedForwards, selfAttribute } from './quantized-modules';
import type { ScriptFacts, ScriptRule } from './script-rule';
import { textAt } from './script-rule';

const functions = new Set(['torch.add', 'torch.cat', 'torch.mul', 'torch.concat']);

export const s07: ScriptRule<'S07'> = {
  code: 'S07',
  severity: 'warning',
  title: 'Plain tensor operators in a quantized forward',
  documentation: {
    trigger:
      'In `forward` of a module, in a file that quantizes eagerly with QuantStub: `torch.add`, `torch.cat`, `torch.mul`, or `+` between two results of modules.',
    why: 'Eager quantization observes modules only. A plain operator has no scale: it raises on quantized tensors, or computes with a wrong one.',
    remedy:
      'Add `self.skip = nn.quantized.FloatFunctional()` and call `self.skip.add(a, b)`, `.cat(…)`, `.mul(…)`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode", step 1.',
  },
  check(facts) {
    return quantizedForwards(facts).flatMap((forward) =>
      plainOperators(forward, facts).map((span) => ({
        facts: { subject: textAt(facts, span), instead: 'FloatFunctional' },
        span,
      })),
    );
  },
};

function plainOperators(forward: FunctionStatement, facts: ScriptFacts): readonly Span[] {
  const tensors = tensorsOf(forward.body);
  const quantized = quantizedPart(forward);
  const found: Span[] = [];
  for (const expression of expressionsIn(forward.body)) {
    if (expression.kind === 'call') {
      const path = pathOf(expression.callee, facts.program.scope);
      if (path !== undefined && functions.has(canonicalPath(path))) found.push(expression.callee.span);
    } else if (expression.kind === 'binary' && expression.operator === '+') {
      if (isTensor(expression.left, tensors) && isTensor(expression.right, tensors))
        found.push(expression.span);
    }
  }
  for (const statement of assignmentsIn(forward.body)) {
    const [target] = statement.targets;
    if (statement.operator !== '+') continue;
    if (target && statement.value && isTensor(target, tensors) && isTensor(statement.value, tensors))
      found.push(statement.span);
  }
  return found.filter(([start]) => start >= quantized[0] && start < quantized[1]);
}

/** From the first call of a stub to the end of the last of its counterpart; the whole body when it calls none. */
function quantizedPart(forward: FunctionStatement): Span {
  let [start, end] = forward.span;
  let entered = false;
  let left: number | undefined;
  for (const expression of expressionsIn(forward.body)) {
    const name = expression.kind === 'call' ? selfAttribute(expression.callee) : undefined;
    if (name === undefined || !/quant/i.test(name)) continue;
    if (/de_?quant/i.test(name)) left = expression.span[1];
    else if (!entered) {
      entered = true;
      start = expression.span[0];
    }
  }
  if (left !== undefined && left > start) end = left;
  return [start, end];
}

/** Assignments of a function itself, not of functions inside it. */
function assignmentsIn(statements: readonly Statement[]) {
  const all = [...statementsIn(statements, ({ kind }) => kind !== 'function' && kind !== 'class')];
  return all.filter((statement) => statement.kind === 'assign');
}

/** Variables that hold what a module of the class returned. */
function tensorsOf(statements: readonly Statement[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { targets, value, operator } of assignmentsIn(statements)) {
    if (!value || operator || !isTensor(value, found)) continue;
    for (const target of targets) if (target.kind === 'name') found.add(target.name);
  }
  return found;
}

/** The result of `self.module(…)`, or a variable that holds one. */
function isTensor(expression: Expression, tensors: ReadonlySet<string>): boolean {
  if (expression.kind === 'name') return tensors.has(expression.name);
  return expression.kind === 'call' && selfAttribute(expression.callee) !== undefined;
}
