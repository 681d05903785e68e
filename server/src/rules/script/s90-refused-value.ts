/** S90: a value that a configuration refuses. */

import { isBefore, pinText, type Version } from '../../script/pins';
import { argument, argumentValue } from '../../script/program';
import { numberOf, stringOf } from '../../script/values';
import { callsOf, pinOf, type ScriptRule } from './script-rule';

export const s90: ScriptRule<'S90'> = {
  code: 'S90',
  severity: 'error',
  title: 'Value that the configuration refuses',
  documentation: {
    trigger:
      '`GPTQConfig(bits=…)` outside 2, 3, 4 and 8, or with a dataset name it does not know; `bnb_4bit_quant_type` other than fp4 and nf4; `HqqConfig(nbits=…)` outside 1 to 4 and 8; weights of `QuantoConfig` it does not have. Judged by the version of Transformers that the script or its project states, else by version 5.',
    why: 'The constructor, or loading, raises.',
    remedy: 'Use one of the values named.',
    source: 'transformers, utils/quantization_config.py; bitsandbytes, functional.py.',
  },
  check(facts) {
    const pin = pinOf(facts, 'transformers');
    return checks.flatMap(({ path, keyword, position, allowed, once }) =>
      callsOf(facts, path).flatMap((call) => {
        const value = argumentValue(call, keyword, position);
        const stated = numberOf(value) ?? stringOf(value);
        const written = argument(call, keyword, position);
        if (stated === undefined || allowed.includes(stated) || !written || written === 'hidden') return [];
        if (pin && once?.values.includes(stated) && isBefore(pin, once.until)) return [];
        const version = pin ? `${pinText(pin)}, as stated` : `${current}, no version is stated`;
        const instead = `${allowed.join(', ')} (Transformers ${version})`;
        return [{ facts: { subject: `${keyword}=${stated}`, instead }, span: written.span }];
      }),
    );
  },
};

interface Check {
  readonly path: string;
  readonly keyword: string;
  readonly position?: number;
  readonly allowed: readonly (number | string)[];
  /** Values that older versions take. */
  readonly once?: { readonly values: readonly (number | string)[]; readonly until: Version };
}

/** The version that these are of. */
const current = '5';

const checks: readonly Check[] = [
  { path: 'transformers.GPTQConfig', keyword: 'bits', position: 0, allowed: [2, 3, 4, 8] },
  {
    path: 'transformers.GPTQConfig',
    keyword: 'dataset',
    position: 2,
    allowed: ['wikitext2', 'c4', 'c4-new'],
    once: { values: ['ptb', 'ptb-new'], until: [4, 37] },
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
