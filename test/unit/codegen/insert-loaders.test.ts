/** Loaders that blocks take: where they come from, which is best, what is never trained on. */
import { describe, expect, it } from 'vitest';
import { added, atModule, handedOut, offered, refused } from './insertions';
import { codeLayer, codePlan, linearLayer } from './plans';

describe('loaders for blocks', () => {
  it.each(['main', 'module'])('are joined with the data that a function hands out, in %s', (where) => {
    const text =
      where === 'main'
        ? handedOut
        : handedOut
            .replace('def main():\n', '')
            .replace('\nmain()\n', '')
            .replaceAll(/^ {4}(?=train_loader|model|torch\.onnx)/gm, '');
    const made = offered(text, 'torch.onnx.export(');
    // Ranges come from what is prepared as for use, weights from what is for training.
    expect(added(made, 'static')).toContain('zip(range(32), val_loader)');
    expect(added(made, 'training')).toContain('for inputs, targets, *_ in train_loader:');
  });

  it.each(['val_loader', 'validLoader', 'dev_loader', 'testloader', 'eval_loader', 'valloader'])(
    'are never trained on when they are %s',
    (name) => {
      const text = atModule.replace(/test_loader = .*\n/, '').replaceAll('train_loader', name);
      expect(refused(text, 'torch.onnx.export(').training).toBe(`only-held-out ${name}`);
    },
  );

  it('are never trained on where their folder is for validation, whatever they are called', () => {
    const text = handedOut.replace('train_loader, val_loader', '_, loader');
    const block = added(offered(text, 'torch.onnx.export('), 'training');
    // The function is asked for the other part.
    expect(block).toContain('one, _ = get_loaders("data")');
    expect(block).toContain('for inputs, targets, *_ in one:');
    const only = text.replace('return one, other', 'return None, other');
    expect(refused(only, 'torch.onnx.export(').training).toBe('only-held-out loader');
  });

  it.each(['loader', 'train_loader', 'device_loader', 'trainval_loader'])(
    'are trained on when they are %s',
    (name) => {
      const text = atModule.replace(/test_loader = .*\n/, '').replaceAll('train_loader', name);
      expect(offered(text, 'torch.onnx.export(').get('training')).toContain(
        `for inputs, targets, *_ in ${name}:`,
      );
    },
  );

  it('are called random only when none is left that is not', () => {
    const why = (text: string) => refused(text, 'torch.onnx.export(').onnxruntime;
    expect(why(handedOut)).toBeUndefined();
    const random = handedOut.replace('train_loader, val_loader', 'loader, _');
    expect(why(random)).toBeUndefined();
    expect(why(random.replaceAll('plain)', 'changed)'))).toBe('random loader');
  });

  it('are not all: weights alone behind an exported program run in inference mode only', () => {
    const plan = codePlan([
      codeLayer('conv', 'int8.channel', 'uint8.tensor'),
      linearLayer('hidden', 'int4.group32'),
    ]);
    for (const kind of ['static', 'training'] as const) {
      const text = added(offered(atModule, 'torch.onnx.export(', plan), kind);
      expect(text.replaceAll(/\s*\n\s*# /g, ' ')).toMatch(
        /run it under torch\.inference_mode\(\)\.\s*quantize_\(/,
      );
      expect(added(offered(atModule, 'torch.onnx.export('), kind)).not.toContain('inference_mode');
    }
  });

  it.each([
    ['tokenizer(batch, return_tensors="pt")', 'dictionaries train_loader'],
    ['{"x": batch}', 'dictionaries train_loader'],
    ['batch[0], batch[1]', undefined],
  ])('give what their collate_fn returns: %s', (returned, lack) => {
    const text = atModule
      .replace('train_loader = ', `def collate(batch):\n    return ${returned}\n\n\ntrain_loader = `)
      .replace(/test_loader = .*\n/, '')
      .replace('batch_size=32)', 'batch_size=32, collate_fn=collate)');
    expect(refused(text, 'torch.onnx.export(').static).toBe(lack);
  });
});
