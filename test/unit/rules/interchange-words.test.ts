/** Words about the files of other tools: how many, which, and what to do. */
import { expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import { line } from '../../../server/src/rules/words';

it.each([
  [
    issue('encodings-unused', { unknown: ['a'], skipped: ['b', 'c'], weights: 20 }, { path: 'e.json' }),
    'e.json: encodings not used: 1 tensor ("a") not in the model; 2 encodings ("b", "c") without integer form here; 20 of weights, which keep their own scales',
  ],
  [
    issue('encodings-unused', { unknown: [], skipped: [], weights: 3 }, { path: 'e.json' }),
    'e.json: encodings not used: 3 of weights, which keep their own scales',
  ],
  [
    issue('encodings-incomplete', { tensors: ['a', 'b', 'c', 'd'] }, { path: 'e.json' }),
    'e.json: the encodings lack 4 ranges ("a", "b", "c", …). Add --data to calibrate what is missing.',
  ],
  [
    issue('encodings-left-out', { tensors: ['w'], why: 'groups' }),
    '1 weight ("w") left out: the file cannot hold scales of groups there.',
  ],
  [
    issue('encodings-left-out', { tensors: ['w'], why: 'folded' }),
    '1 weight ("w") left out: onnxruntime would meet them before BatchNormalization is folded. Fold it first (quant_pre_process) to have them written.',
  ],
  [
    issue('encodings-folded', { tensors: ['w'] }),
    '1 weight ("w") stated as after folding BatchNormalization: call fold_all_batch_norms_to_weight of aimet_onnx.batch_norm_fold before the encodings are loaded.',
  ],
  [
    issue('importance-unmatched', { covered: 1, layers: ['a'], mismatched: ['b'] }),
    'the importance matrix covers 1 layer; 1 layer ("a") not in it; 1 layer ("b") with another number of columns.',
  ],
])('%j', (one, expected) => expect(line(one)).toBe(expected));
