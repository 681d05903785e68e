/** Imports for inserted code: merged with those that are there, never doubled, where Python can read them. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { importEdits, importedAs, type NeededImport } from '../../../server/src/script/edit-imports';
import type { ParsedScript, PythonParser } from '../../../server/src/script/parser';
import { pythonParser } from '../../fixtures/python';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

function parsed<T>(text: string, use: (script: ParsedScript) => T): T {
  const script = parser.parse(text);
  try {
    return use(script);
  } finally {
    script.dispose();
  }
}

function withImports(text: string, needed: readonly NeededImport[], before?: number): string {
  const edits = parsed(text, (script) => importEdits(script, needed, before));
  return [...edits]
    .reverse()
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);
}

const numpy: NeededImport = { module: 'numpy', as: 'np' };
const reader: NeededImport = {
  module: 'onnxruntime.quantization',
  names: [{ name: 'CalibrationDataReader' }],
};

describe('imports for inserted code', () => {
  it.each<[why: string, text: string, needed: readonly NeededImport[], result: string]>([
    ['an empty file', '', [numpy], 'import numpy as np\n'],
    ['there already', 'import numpy as np\n', [numpy], 'import numpy as np\n'],
    [
      'there under another name',
      'import numpy\nx = 1\n',
      [numpy],
      'import numpy\nimport numpy as np\nx = 1\n',
    ],
    [
      'a name joins its module',
      'from onnxruntime.quantization import quantize_static\n',
      [reader],
      'from onnxruntime.quantization import quantize_static, CalibrationDataReader\n',
    ],
    [
      'in brackets with a comma at the end',
      'from onnxruntime.quantization import (\n    QuantType,  # types\n    quantize_static as qs,\n)\n',
      [reader],
      'from onnxruntime.quantization import (\n    QuantType,  # types\n    quantize_static as qs, CalibrationDataReader,\n)\n',
    ],
    [
      'a name under another name',
      'from torch.utils.data import DataLoader as Loader\n',
      [{ module: 'torch.utils.data', names: [{ name: 'DataLoader' }] }],
      'from torch.utils.data import DataLoader as Loader, DataLoader\n',
    ],
    [
      'below its package',
      'import torch\nimport os\n',
      [{ module: 'torch.onnx' }],
      'import torch\nimport torch.onnx\nimport os\n',
    ],
    ['a deeper import', 'import torch.nn\n', [{ module: 'torch' }], 'import torch.nn\n'],
    [
      'from the parent',
      'from torch import nn\n',
      [{ module: 'torch.nn', as: 'nn' }],
      'from torch import nn\n',
    ],
    [
      'in a try',
      'try:\n    import numpy as np\nexcept ImportError:\n    np = None\n',
      [numpy, reader],
      'try:\n    import numpy as np\nexcept ImportError:\n    np = None\nfrom onnxruntime.quantization import CalibrationDataReader\n',
    ],
    [
      'inside a function it is not known outside',
      'def f():\n    import numpy as np\n',
      [numpy],
      'import numpy as np\ndef f():\n    import numpy as np\n',
    ],
    [
      'documentation, future and licence stay first',
      '#!/usr/bin/env python\n# Licence\n\n"""What it\nis."""\nfrom __future__ import (\n  annotations)\n# About x\nx = 1\n',
      [numpy],
      '#!/usr/bin/env python\n# Licence\n\n"""What it\nis."""\nfrom __future__ import (\n  annotations)\nimport numpy as np\n# About x\nx = 1\n',
    ],
    [
      'the encoding stays in the second line',
      '#!/usr/bin/env python\n# -*- coding: latin-1 -*-\nx = 1\n',
      [numpy],
      '#!/usr/bin/env python\n# -*- coding: latin-1 -*-\nimport numpy as np\nx = 1\n',
    ],
    ['magic lines stay first', '      \nx = 1\n', [numpy], '      \nimport numpy as np\nx = 1\n'],
    [
      'a comment behind',
      'import os  # system\nx = 1',
      [numpy],
      'import os  # system\nimport numpy as np\nx = 1',
    ],
    [
      'no line break at the end',
      'import os',
      [numpy, reader],
      'import os\nimport numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader',
    ],
    ['CRLF', 'import os\r\nx = 1\r\n', [numpy], 'import os\r\nimport numpy as np\r\nx = 1\r\n'],
    [
      'a string that begins on the line',
      'import os; x = """a\nb"""\n',
      [numpy],
      'import os; x = """a\nb"""\nimport numpy as np\n',
    ],
    [
      'a star',
      'from numpy import *\n',
      [{ module: 'numpy', names: [{ name: 'load' }] }],
      'from numpy import *\nfrom numpy import load\n',
    ],
    [
      'twice the same need',
      '',
      [numpy, numpy, reader, reader],
      'import numpy as np\nfrom onnxruntime.quantization import CalibrationDataReader\n',
    ],
    [
      'relative is another module',
      'from .numpy import load\n',
      [{ module: 'numpy', names: [{ name: 'load' }] }],
      'from .numpy import load\nfrom numpy import load\n',
    ],
  ])('%s', (_why, text, needed, result) => {
    expect(withImports(text, needed)).toBe(result);
    expect(withImports(result, needed)).toBe(result);
  });

  it('counts only what runs before', () => {
    const text = 'import os\nuse()\nimport numpy as np\n';
    expect(withImports(text, [numpy], 10)).toBe('import os\nimport numpy as np\nuse()\nimport numpy as np\n');
  });

  it.each([
    ['import numpy as n', 'numpy', undefined, 'n'],
    ['import torch', 'torch', undefined, 'torch'],
    ['from torch import nn as N', 'torch.nn', undefined, 'N'],
    ['from torch.utils.data import DataLoader as L', 'torch.utils.data', 'DataLoader', 'L'],
    ['import torch', 'numpy', undefined, undefined],
  ])('%s: %s %s is %s', (text, module, name, local) => {
    expect(parsed(text, (script) => importedAs(script, module, name))).toBe(local);
  });

  it('keeps whatever stands around whole, and is done after one round', () => {
    const line = fc.constantFrom(
      'import os, sys',
      'import torch; x = 1',
      'from torch.utils.data import (DataLoader,\n    Dataset)',
      'from numpy import array as a, \\\n    float32',
      'try:\n    import numpy as np\nexcept ImportError:\n    pass',
      '"""text\nof lines"""',
      '# comment',
      '',
      'if flag:\n    import json',
      'def f():\n    return 1',
      'y = (1,\n     2)',
    );
    const need = fc.constantFrom<NeededImport>(
      numpy,
      reader,
      { module: 'numpy', names: [{ name: 'float32' }, { name: 'load', as: 'read' }] },
      { module: 'torch.utils.data', names: [{ name: 'Dataset' }, { name: 'Subset' }] },
      { module: 'torch' },
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 6 }),
        fc.uniqueArray(need, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (lines, needed, crlf) => {
          const text = lines.join('\n').replaceAll('\n', crlf ? '\r\n' : '\n');
          const result = withImports(text, needed);
          expect(parsed(result, ({ module }) => module.complete)).toBe(true);
          expect(withImports(result, needed)).toBe(result);
          for (const { module, names } of needed)
            for (const name of names?.map((one) => one.name) ?? [undefined])
              expect(parsed(result, (script) => importedAs(script, module, name))).toBeDefined();
          if (crlf && text.includes('\r\n')) expect(result.replaceAll('\r\n', '')).not.toContain('\n');
        },
      ),
      { numRuns: 400, seed: 11 },
    );
  });
});
