/** What the rules on TensorFlow Lite ask of a script: what it assigns to its converters. */
import { definitionOf, type Scope } from '../../script/names';
import {
  type Expression,
  type FunctionStatement,
  type Span,
  type Statement,
  statementsIn,
} from '../../script/syntax';
import type { ScriptFacts } from './script-rule';

/** `converter.NAME = value`. */
export interface ConverterSetting {
  readonly name: string;
  readonly value: Expression;
  readonly target: Span;
  readonly scope: Scope;
}

/** Assignments to attributes of this name, in files that make a TFLiteConverter. */
export function converterSettings(facts: ScriptFacts, name: string): readonly ConverterSetting[] {
  if (!/TFLiteConverter/.test(facts.text)) return [];
  return settingsIn(facts.program.module.statements, facts.program.scope).filter((one) => one.name === name);
}

function settingsIn(statements: readonly Statement[], scope: Scope): readonly ConverterSetting[] {
  const opens = ({ kind }: Statement) => kind !== 'function' && kind !== 'class';
  return [...statementsIn(statements, opens)].flatMap((statement) => {
    if (statement.kind === 'function' || statement.kind === 'class') {
      const inner = scope.inner.get(statement);
      return inner ? settingsIn(statement.body, inner) : [];
    }
    if (statement.kind !== 'assign' || !statement.value || statement.operator) return [];
    const { targets, value } = statement;
    return targets.flatMap((target) =>
      target.kind === 'attribute' ? [{ name: target.attribute, value, target: target.span, scope }] : [],
    );
  });
}

/** Functions of the file that are handed over as representative dataset. */
export function datasetFunctions(
  facts: ScriptFacts,
): readonly { readonly statement: FunctionStatement; readonly scope: Scope }[] {
  return converterSettings(facts, 'representative_dataset').flatMap(({ value, scope }) => {
    const found = definitionOf(value, scope);
    return found?.kind === 'function' ? [{ statement: found.statement, scope: found.scope }] : [];
  });
}
