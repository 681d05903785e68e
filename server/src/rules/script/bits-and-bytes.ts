/** Models that Transformers loads in four or eight bits with bitsandbytes. */
import { canonicalPath } from '../../script/catalog';
import type { Tracked } from '../../script/flow';
import { pathOf, type Scope, soleBinding } from '../../script/names';
import { argument, argumentValue } from '../../script/program';
import type { CallExpression, Expression } from '../../script/syntax';
import { booleanOf } from '../../script/values';

export const bitsAndBytesConfig = 'transformers.BitsAndBytesConfig';

/** Found in every script that loads so; flows need not be followed in others. */
export const mentionsBits = /load_in_[48]bit/;

/** True for `from_pretrained` of a class of Transformers. */
export function isLoad(path: string | undefined): boolean {
  return path !== undefined && /^transformers\.(\w+\.)*from_pretrained$/.test(path);
}

/** Width in which an object was certainly loaded; undefined for anything else. */
export function loadedBits({ origin, originScope }: Tracked): 4 | 8 | undefined {
  if (origin?.kind !== 'call' || !originScope || !isLoad(pathOf(origin.callee, originScope)))
    return undefined;
  const config = argument({ expression: origin }, 'quantization_config');
  const made = config && config !== 'hidden' ? configOf(config.value, originScope) : undefined;
  return statedBits(made ?? origin, originScope);
}

/** `load_in_4bit=True` or `load_in_8bit=True` of a call. */
function statedBits(expression: CallExpression, scope: Scope): 4 | 8 | undefined {
  const states = (name: string) => booleanOf(argumentValue({ expression, scope }, name)) === true;
  return states('load_in_4bit') ? 4 : states('load_in_8bit') ? 8 : undefined;
}

/** The call that makes a configuration, written in place or bound to a name once. */
function configOf(value: Expression, scope: Scope): CallExpression | undefined {
  const binding = value.kind === 'name' ? soleBinding(scope, value.name) : undefined;
  const made = binding?.kind === 'variable' ? binding.value : value;
  if (made?.kind !== 'call') return undefined;
  const path = pathOf(made.callee, scope);
  return path !== undefined && canonicalPath(path) === bitsAndBytesConfig ? made : undefined;
}
