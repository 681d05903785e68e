/** The calibration reader for a script: what it reads, where it stands, when there is none. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyzeScript } from '../../../server/src/rules/script/analyze';
import { type ReaderInput, readerEdits } from '../../../server/src/script/calibration-reader';
import { dataPipelines } from '../../../server/src/script/data-pipeline';
import type { PythonParser } from '../../../server/src/script/parser';
import { readProgram } from '../../../server/src/script/program';
import { dedent, pythonParser } from '../../fixtures/python';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

/** The text with the reader of its first pipeline; undefined where none is offered. */
function withReader(text: string, input?: ReaderInput): string | undefined {
  const parsed = parser.parse(text);
  const program = readProgram(parsed.module);
  const [pipeline] = dataPipelines({ file: 'script.py', program, text });
  const edits = pipeline && readerEdits({ parsed, program }, pipeline, input);
  parsed.dispose();
  return (
    edits &&
    [...edits]
      .reverse()
      .reduce(
        (result, { start, end, text: added }) => result.slice(0, start) + added + result.slice(end),
        text,
      )
  );
}

function findings(text: string): readonly string[] {
  const script = analyzeScript(parser, 'script.py', text);
  script.parsed.dispose();
  return script.findings.map(({ rule }) => rule.code);
}

const loader = dedent(`
  import torch
  from torchvision import datasets, transforms
  tf = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])
  val_loader = torch.utils.data.DataLoader(datasets.ImageFolder('val', tf), batch_size=16)
  print(len(val_loader))
`);

const fixed: ReaderInput = { name: 'image', batch: 4, anyBatch: false, type: 'float32' };

describe('calibration reader', () => {
  it('stands behind the loader it reads, with what it imports', () => {
    expect(withReader(loader, { ...fixed, batch: 1 })).toMatchInlineSnapshot(`
      "import torch
      from torchvision import datasets, transforms
      import numpy as np
      from onnxruntime.quantization import CalibrationDataReader
      tf = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])
      val_loader = torch.utils.data.DataLoader(datasets.ImageFolder('val', tf), batch_size=16)


      class CalibrationReader(CalibrationDataReader):
          """Feeds quantize_static with the inputs of val_loader, without labels."""

          def __init__(self, loader=val_loader, input_name="image", samples=128):
              self.loader = loader
              self.input_name = input_name
              self.samples = samples
              self.rewind()

          def get_next(self):
              return next(self.feeds, None)

          def rewind(self):
              self.feeds = self.read()

          def read(self):
              left = self.samples
              for batch in self.loader:
                  inputs = next(iter(batch.values())) if hasattr(batch, "keys") else batch
                  inputs = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
                  inputs = np.asarray(inputs.detach().cpu(), dtype=np.float32)[:left]
                  for start in range(len(inputs)):
                      yield {self.input_name: inputs[start : start + 1]}
                  left -= len(inputs)
                  if left <= 0:
                      return


      print(len(val_loader))
      "
    `);
  });

  it.each<[why: string, text: string, input: ReaderInput | undefined, parts: readonly string[]]>([
    [
      'several inputs are taken by their names',
      loader,
      { name: 'ids', anyBatch: false, others: ['mask'] },
      [
        'input_names=("ids", "mask")',
        'batch if hasattr(batch, "keys") else dict(zip(self.input_names, batch))',
        '                yield {name: values[start : start + 1] for name, values in inputs.items()}\n',
      ],
    ],
    [
      'any batch size takes batches as they come',
      loader,
      { name: 'x', anyBatch: true, type: 'float32' },
      ['            yield {self.input_name: inputs}\n'],
    ],
    [
      'a fixed batch is cut to size',
      loader,
      fixed,
      ['range(0, len(inputs) - 3, 4):', 'inputs[start : start + 4]', 'input_name="image"'],
    ],
    ['the type is that of the model', loader, { ...fixed, type: 'float16' }, ['dtype=np.float16']],
    [
      'an unknown input has to be given',
      loader,
      undefined,
      [
        '.get_inputs()[0].name of onnxruntime gives it.\n',
        'def __init__(self, input_name, loader=val_loader',
      ],
    ],
    [
      'the name may be in the export',
      `${loader}torch.onnx.export(net, (x,), 'n.onnx', input_names=['pixels'])\n`,
      undefined,
      ['input_name="pixels"'],
    ],
    [
      'names of the script are kept',
      loader.replace(
        'import torch\n',
        'import numpy\nimport torch\nfrom onnxruntime.quantization import CalibrationDataReader as Base\n',
      ),
      fixed,
      ['class CalibrationReader(Base):', 'numpy.asarray(inputs.detach().cpu(), dtype=numpy.float32)'],
    ],
    [
      'names that are taken are not',
      `CalibrationReader = 1\n${loader}`,
      undefined,
      ['class CalibrationReader_(CalibrationDataReader):'],
    ],
    [
      'a loader inside a function is handed over',
      "import torch\nfrom torchvision import datasets, transforms\n# About it.\n@cached\ndef loaders():\n    tf = transforms.Compose([transforms.ToTensor()])\n    return torch.utils.data.DataLoader(datasets.ImageFolder('val', tf))\n",
      fixed,
      [
        'def __init__(self, loader, input_name',
        '                return\n\n\n# About it.\n@cached\ndef loaders():',
      ],
    ],
    [
      'a transform alone reads a folder',
      'from torchvision import transforms\nprepare = transforms.Compose([transforms.Resize(40), transforms.ToTensor()])\n',
      undefined,
      [
        'def __init__(self, input_name, folder,',
        'np.asarray(prepare(picture), dtype=np.float32)',
        'from PIL import Image\n',
        'from pathlib import Path\n',
      ],
    ],
    [
      'albumentations take pictures by name',
      'import albumentations as A\nprepare = A.Compose([A.Resize(32, 32), A.Normalize()])\n',
      undefined,
      ['prepare(image=np.asarray(picture))["image"]'],
    ],
    [
      'processors of Transformers too',
      "from transformers import AutoImageProcessor\nprepare = AutoImageProcessor.from_pretrained('x')\n",
      undefined,
      ['prepare(images=picture, return_tensors="np")["pixel_values"][0]'],
    ],
    [
      'data sets of TensorFlow give arrays',
      "import tensorflow as tf\nval_ds = tf.keras.utils.image_dataset_from_directory('val')\n",
      fixed,
      ['np.asarray(inputs, dtype=np.float32)', 'loader=val_ds'],
    ],
  ])('%s', (_why, text, input, parts) => {
    const result = withReader(text, input) ?? '';
    for (const part of parts) expect(result).toContain(part);
    expect(findings(result)).toEqual(findings(text));
  });

  it.each([
    ['random data', loader.replace('Resize(40)', 'RandomCrop(40)')],
    ['a reader that is there', `${loader}class Mine(CalibrationDataReader):\n    pass\n`],
    [
      'a transform that the class cannot name',
      'from torchvision import transforms\ndef f():\n    return transforms.Compose([transforms.ToTensor()])\n',
    ],
    ['broken code', `${loader}x = (\n`],
  ])('is not offered for %s', (_why, text) => {
    expect(withReader(text)).toBeUndefined();
  });

  it('leaves code that parses, in its line ends, and is offered once', () => {
    const before = fc.constantFrom(
      '# comment',
      '"""Text\nof lines"""',
      'import os, sys',
      'import numpy as np',
      'try:\n    import onnx\nexcept ImportError:\n    onnx = None',
      'def helper(a):\n    return a',
      'from onnxruntime.quantization import (\n    quantize_static,\n)',
    );
    const after = fc.constantFrom(
      '',
      '\n\n',
      'class Net:\n    pass\n',
      'if __name__ == "__main__":\n    main()',
      '# end',
    );
    const input = fc.constantFrom<ReaderInput | undefined>(
      undefined,
      fixed,
      { ...fixed, batch: 1 },
      { name: 'a"b', anyBatch: true, type: 'uint8' },
    );
    fc.assert(
      fc.property(
        fc.array(before, { maxLength: 5 }),
        after,
        input,
        fc.boolean(),
        fc.boolean(),
        (lines, end, given, crlf, inside) => {
          const code = inside ? `def main():\n${loader.replaceAll(/^(?=.)/gm, '    ')}` : loader;
          const source = `${lines.join('\n')}\n${code}${end}`;
          const text = crlf ? source.replaceAll('\n', '\r\n') : source;
          const result = withReader(text, given);
          expect(result).toBeDefined();
          const parsed = parser.parse(result ?? '');
          const { complete } = parsed.module;
          parsed.dispose();
          expect(complete).toBe(true);
          expect(withReader(result ?? '', given)).toBeUndefined();
          if (crlf) expect(result?.replaceAll('\r\n', '')).not.toContain('\n');
          expect(findings(result ?? '')).toEqual(findings(text));
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });
});
