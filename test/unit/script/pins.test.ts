/** Versions that projects state, as their files write them. */
import { describe, expect, it } from 'vitest';
import { isBefore, pinsIn, pinsInScript, pinText } from '../../../server/src/script/pins';

describe('stated versions', () => {
  it.each<[text: string, name: string, told: string | undefined]>([
    ['torch==2.3.1\ntransformers==4.38.2  # newer breaks\n', 'transformers', '4.38.2'],
    ['transformers[torch]>=4.40,<5\n', 'transformers', 'below 5'],
    ['transformers ~= 4.41.0', 'transformers', 'below 4.42'],
    ['transformers<=4.44', 'transformers', 'below 4.44.1'],
    ['transformers>=4.40', 'transformers', 'from 4.40'],
    ['transformers\n', 'transformers', undefined],
    ['my-transformers==1.0\n', 'transformers', undefined],
    ['dependencies = ["numpy", "transformers==4.30"]', 'transformers', '4.30'],
    ['[tool.poetry.dependencies]\ntransformers = "^4.38"\n', 'transformers', 'below 5'],
    ['transformers = {version = "^4.38", extras = ["torch"]}\n', 'transformers', 'below 5'],
    ['dependencies:\n  - python=3.10\n  - transformers=4.36\n', 'transformers', '4.36'],
    ['auto_gptq==0.7.1', 'auto-gptq', '0.7.1'],
    ['# transformers==4.1 is old', 'transformers', '4.1'],
  ])('%s: %s is %s', (text, name, told) => {
    const pin = pinsIn(text).get(name);
    expect(pin && pinText(pin)).toBe(told);
  });

  it.each<[text: string, told: string | undefined]>([
    ['!pip install -q transformers==4.38.2 accelerate\nimport torch\n', '4.38.2'],
    ['# /// script\n# dependencies = ["transformers<5"]\n# ///\n', 'below 5'],
    ['print("transformers==4.0")\n', undefined],
  ])('in a script: %s', (text, told) => {
    const pin = pinsInScript(text).get('transformers');
    expect(pin && pinText(pin)).toBe(told);
  });

  it('are before another one when all that is allowed is', () => {
    expect(isBefore({ exactly: [4, 38, 2] }, [5])).toBe(true);
    expect(isBefore({ exactly: [5, 0] }, [5])).toBe(false);
    expect(isBefore({ below: [5] }, [5])).toBe(true);
    expect(isBefore({ below: [5, 1] }, [5])).toBe(false);
    expect(isBefore({ atLeast: [4] }, [5])).toBe(false);
  });
});
