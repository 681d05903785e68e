/** S13: convert right after prepare, without a forward pass between. */
import { canonicalPath } from '../../script/catalog';
import type { Event, Flow } from '../../script/flow';
import { definitionOf } from '../../script/names';
import type { Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { ownStatements } from './generators';
import { inFlows, type ScriptFacts, type ScriptRule, textAt } from './script-rule';
import { needsNoRanges, stageOf } from './torch-life';

const preparations = new Set([
  'torch.ao.quantization.prepare',
  'torch.ao.quantization.prepare_fx',
  'torch.ao.quantization.prepare_pt2e',
  'torchao.quantization.pt2e.prepare_pt2e',
]);
const conversions = new Set([
  'torch.ao.quantization.convert',
  'torch.ao.quantization.convert_fx',
  'torch.ao.quantization.convert_pt2e',
  'torchao.quantization.pt2e.convert_pt2e',
]);

export const s13: ScriptRule<'S13'> = {
  code: 'S13',
  severity: 'error',
  title: 'Converted without calibration',
  documentation: {
    trigger:
      'A network goes from `prepare` (eager, FX or PT2E) to `convert` and nothing runs it between: no call of the network, and no unknown function that is given it. Silent for dynamic and weight-only configurations, which need no data, where a state dictionary is or may be loaded afterwards, and where a call between may run the network unseen.',
    why: 'Observers have seen no data. Scales keep their initial value and the converted network computes noise.',
    remedy: 'Run representative samples through the prepared network, in eval mode and without gradients.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode", step 4.',
  },
  check(facts) {
    return inFlows(facts, convertedHistories).flatMap((events) =>
      conversionsWithoutData(events, facts).map(({ call }) => ({
        facts: { subject: textAt(facts, call.expression.callee.span) },
        span: call.expression.callee.span,
      })),
    );
  },
};

function convertedHistories({ events }: Flow): readonly (readonly Event[])[] {
  return [...events.values()].filter((history) =>
    history.some(({ call }) => call.path !== undefined && conversions.has(canonicalPath(call.path))),
  );
}

/** Conversions of a history that follow a preparation with nothing between that could feed data. */
function conversionsWithoutData(events: readonly Event[], facts: ScriptFacts): readonly Event[] {
  const found: Event[] = [];
  let prepared: Event | undefined;
  for (const [at, event] of events.entries()) {
    // A converted shell that a state dictionary fills has its ranges from there.
    const filled = events.slice(at).some(({ call }) => call.name === 'load_state_dict');
    const path = event.call.path === undefined ? undefined : canonicalPath(event.call.path);
    const isNetwork = event.role === 'argument' && (event.argument === 0 || event.argument === 'model');
    if (isNetwork && path !== undefined && preparations.has(path)) prepared = event;
    else if (isNetwork && path !== undefined && conversions.has(path)) {
      const isSure = prepared?.certain === true && event.certain && !filled;
      if (prepared && isSure && isUncalibrated(prepared.call, event.call, events.slice(0, at), facts))
        found.push(event);
      prepared = undefined;
    } else if (!leavesUntouched(event)) prepared = undefined;
  }
  return found;
}

const harmless = new Set(['eval', 'train', 'to', 'cpu', 'cuda', 'parameters', 'named_modules', 'state_dict']);
const readOnly = new Set(['print', 'len', 'type', 'isinstance', 'str', 'id']);

/** A mode change or a print runs no data through the network; anything unknown might. */
function leavesUntouched({ call, role, opaque }: Event): boolean {
  if (role === 'receiver') return harmless.has(call.name);
  return role === 'result' || (role === 'argument' && opaque && readOnly.has(call.name));
}

/** True when a preparation needs data and nothing before the conversion can have given it. */
function isUncalibrated(
  prepared: Call,
  converted: Call,
  before: readonly Event[],
  facts: ScriptFacts,
): boolean {
  return (
    !needsNoRanges(facts, prepared, stageOf(prepared)?.flow ?? 'eager') &&
    !mayRunUnseen(prepared, converted, before, facts) &&
    !mayBeFilled(converted, facts)
  );
}

/**
 * True when a call between two others of one function may run a network without naming it: a method of the object that
 * holds it, a function inside the function, a method of anything that was given the network before.
 */
function mayRunUnseen(
  prepared: Call,
  converted: Call,
  before: readonly Event[],
  facts: ScriptFacts,
): boolean {
  if (prepared.function !== converted.function) return false;
  const network = prepared.expression.args[0]?.value;
  const written = network ? textAt(facts, network.span) : '';
  const holder = network?.kind === 'attribute' ? rootOf(network) : undefined;
  const isGiven = before.some(({ call, role }) => role === 'argument' && call.path === undefined);
  return facts.program.calls.some((call) => {
    const { expression, receiver, name } = call;
    const isBetween =
      expression.span[0] > prepared.expression.span[1] && expression.span[1] < converted.expression.span[0];
    if (!isBetween || call.function !== prepared.function) return false;
    if (!receiver) {
      const target = definitionOf(expression.callee, call.scope);
      return target?.kind === 'function' && target.scope.parent?.kind === 'function';
    }
    if (textAt(facts, receiver.span) === written || harmless.has(name) || reports.test(name)) return false;
    return isGiven || (holder !== undefined && rootOf(receiver) === holder);
  });
}

const reports = /^(print|info|debug|warning|log|format|append|write|time|join)$/;

function rootOf(expression: Expression): string | undefined {
  if (expression.kind === 'attribute') return rootOf(expression.object);
  return expression.kind === 'name' ? expression.name : undefined;
}

/** A function that returns the converted network, in a file that loads state dictionaries: its caller may fill it. */
function mayBeFilled(converted: Call, facts: ScriptFacts): boolean {
  const body = converted.function?.body;
  if (!body || !/load_state_dict/.test(facts.text)) return false;
  return ownStatements(body).some(({ kind }) => kind === 'return');
}
