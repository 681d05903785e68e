/** S87: four and eight bits at once. */
import { argument, argumentValue } from '../../script/program';
import { booleanOf } from '../../script/values';
import { bitsAndBytesConfig } from './bits-and-bytes';
import { callsOf, type ScriptRule } from './script-rule';

export const s87: ScriptRule<'S87'> = {
  code: 'S87',
  severity: 'error',
  title: 'Four and eight bits at once',
  documentation: {
    trigger: '`BitsAndBytesConfig(load_in_4bit=True, load_in_8bit=True)`.',
    why: 'Only one can be used: the constructor raises ValueError.',
    remedy: 'Keep one of them.',
    source: 'github.com/huggingface/transformers/pull/28266.',
  },
  check(facts) {
    return callsOf(facts, bitsAndBytesConfig).flatMap((call) => {
      const both = ['load_in_4bit', 'load_in_8bit'].every(
        (name) => booleanOf(argumentValue(call, name)) === true,
      );
      const written = argument(call, 'load_in_8bit');
      return both && written && written !== 'hidden'
        ? [{ facts: { subject: 'load_in_8bit', instead: 'load_in_4bit' }, span: written.span }]
        : [];
    });
  },
};
