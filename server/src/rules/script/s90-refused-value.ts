/** S90: a value that a configuration refuses. */
import { argument, argumentValue } from '../../script/program';
import { numberOf, stringOf } from '../../script/values';
import { callsOf, type ScriptRule } from './script-rule';

export const s90: ScriptRule<'S90'> = {
  code: 'S90',
  severity: 'error',
  title: 'Value that the configuration refuses',
  documentation: {
    trigger:
      '`GPTQConfig(bits=…)` outside 2, 3, 4 and 8, or with a dataset name it does not know; `bnb_4bit_quant_type` other than fp4 and nf4; `HqqConfig(nbits=…)` outside 1 to 4 and 8; weights of `QuantoConfig` it does not have.',
    why: 'The constructor, or loading, raises.',
    remedy: 'Use one of the values named.',
    source: 'transformers, utils/quantization_config.py; bitsandbytes, functional.py.',
  },
  check(facts) {
    return checks.flatMap(({ path, keyword, position, allowed }) =>
      callsOf(facts, path).flatMap((call) => {
        const value = argumentValue(call, keyword, position);
        const stated = numberOf(value) ?? stringOf(value);
        const written = argument(call, keyword, position);
        if (stated === undefined || allowed.includes(stated) || !written || written === 'hidden') return [];
        const subject = `${keyword}=${stated}`;
        return [{ facts: { subject, instead: allowed.join(', ') }, span: written.span }];
      }),
    );
  },
};

interface Check {
  readonly path: string;
  readonly keyword: string;
  readonly position?: number;
  readonly allowed: readonly (number | string)[];
}

const checks: readonly Check[] = [
  { path: 'transformers.GPTQConfig', keyword: 'bits', position: 0, allowed: [2, 3, 4, 8] },
  {
    path: 'transformers.GPTQConfig',
    keyword: 'dataset',
    position: 2,
    allowed: ['wikitext2', 'c4', 'c4-new'],
  },
  { path: 'transformers.BitsAndBytesConfig', keyword: 'bnb_4bit_quant_type', allowed: ['fp4', 'nf4'] },
  { path: 'transformers.HqqConfig', keyword: 'nbits', position: 0, allowed: [1, 2, 3, 4, 8] },
  {
    path: 'transformers.QuantoConfig',
    keyword: 'weights',
    position: 0,
    allowed: ['float8', 'int8', 'int4', 'int2'],
  },
];
