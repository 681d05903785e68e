/** Sentences about files: what cannot be read or written, and what to do. */
import type { IssueFacts } from '../protocol/issues';
import { fewOf, quote } from './quote';

const kinds = {
  html: 'an HTML page: the download probably failed; fetch the file again',
  'git-lfs': 'a Git LFS pointer: run "git lfs pull" to get the real file',
  text: 'a text file',
  zip: 'a zip archive: unpack it first',
  pytorch: 'a PyTorch file: export it with torch.onnx.export first',
} as const;

type FileCode =
  | 'file-not-found'
  | 'script-model-missing'
  | 'script-model-partly'
  | 'file-unreadable'
  | 'file-empty'
  | 'file-is-folder'
  | 'format-unknown'
  | 'format-damaged'
  | 'format-truncated'
  | 'format-limit'
  | 'parts-missing'
  | 'file-changed'
  | 'output-unusable'
  | 'write-failed'
  | 'write-over-source'
  | 'output-exists'
  | 'rule-failed'
  | 'not-loadable'
  | 'measured-wider'
  | 'single-samples'
  | 'codes-unread'
  | 'activation-missing'
  | 'code-differs';

export const fileSentences: { readonly [C in FileCode]: (facts: IssueFacts[C]) => string } = {
  'file-not-found': ({ path }) => `${path}: no such file. Check the path.`,
  'script-model-missing': ({ path, near }) => {
    const around =
      near.length === 0 ? 'Paths are relative to the script.' : `There is ${near.map(quote).join(', ')}.`;
    return `${quote(path)}: no such model. ${around}`;
  },
  'script-model-partly': ({ path, network, tied, layers }) =>
    network === undefined
      ? `No network of this script has its weights in ${quote(path)} (${layers} layers): names, order and shapes differ.`
      : `${tied} of ${layers} layers of ${network} have their weights in ${quote(path)}.`,
  'file-unreadable': ({ path, reason }) => `${path}: cannot be read (${reason}).`,
  'file-empty': ({ path }) => `${path}: the file is empty. Export or download it again.`,
  'file-is-folder': ({ path }) => `${path}: is a folder; name a model file in it.`,
  'format-unknown': ({ path, looksLike }) =>
    looksLike === undefined
      ? `${path}: not an ONNX, safetensors or GGUF file. Export the model to one of these formats.`
      : `${path}: not a model but ${kinds[looksLike]}.`,
  'format-damaged': ({ path, offset, reason }) =>
    `${path}: damaged at byte ${offset} (${reason}). Export or download it again.`,
  'format-truncated': ({ path, need, have }) =>
    `${path}: cut off: ${need} bytes are needed, ${have} are there. Export or download it again.`,
  'format-limit': ({ path, what, value, limit }) =>
    `${path}: ${what} is ${value}; at most ${limit} is accepted.`,
  'parts-missing': ({ path, parts, total, why }) => {
    const first = quote(parts[0] ?? '');
    const which =
      parts.length > 1
        ? `${first} and ${parts.length - 1} more of its ${total} parts`
        : `${first}, ${total > 1 ? `one of its ${total} parts` : 'its only part'},`;
    const verb = parts.length > 1 ? 'are' : 'is';
    return why === 'missing'
      ? `${path}: ${which} ${verb} missing. Put all parts into one folder.`
      : `${path}: ${which} ${verb} outside its folder and not opened. Put all parts into one folder.`;
  },
  'file-changed': ({ path }) => `${path}: changed while it was being read. Run again.`,
  'output-unusable': ({ path, reason }) =>
    `${quote(path)} cannot be written (${reason}). Choose another output file.`,
  'write-failed': ({ path, reason }) => `${path}: could not be written (${reason}). Nothing was left behind.`,
  'write-over-source': ({ path }) =>
    `${path}: is the source model (or its data) and is never overwritten. Choose another output file.`,
  'output-exists': ({ path }) =>
    `${path}: exists already and may have been edited. Choose another file, or add --force to replace it.`,
  'rule-failed': ({ rule, reason }) =>
    `rule ${rule} could not look at this file (${reason}); all other rules did. Report it, or turn the rule off.`,
  'codes-unread': ({ tensors, scheme }) => {
    const [what, which] =
      tensors.length === 1
        ? ['1 integer tensor holds codes', 'which is not analysed']
        : [`${tensors.length} integer tensors hold codes`, 'which are not analysed'];
    const how = scheme === undefined ? '' : ` (${scheme})`;
    return `${what} of quantized weights${how}, ${which}: ${fewOf(tensors)}. Open the float weights that they were made from to judge formats.`;
  },
  'single-samples': ({ op }) =>
    `${op} takes one scale for all samples that run together, so what is in a batch changes the result; samples ran one at a time, as single requests do.`,
  'measured-wider': ({ type }) =>
    `the network computes in ${type}: it was measured in float32, with its activations quantized. Convert it to float32 before activations are quantized; weights alone can be quantized as it is (int8, int4.group32).`,
  'not-loadable': ({ reason }) =>
    `onnxruntime cannot load this file: ${reason}. Its figures are those of its operators one by one; it does not run here.`,
  'activation-missing': ({ layers, op, format }) =>
    `the quantized file computes without the ${op} behind ${layers.length === 1 ? 'this layer' : `${layers.length} layers (${fewOf(layers)})`}, and its ${format} quantizer keeps the numbers below 0 that ${op} cuts off. Keep ${op} in the file, or quantize to codes that begin at 0.`,
  'code-differs': ({ library, what, instead, layers }) => {
    const [first = '', ...others] = layers;
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    return `${library}: ${layers.length > 0 ? `${quote(first)}${more}: ` : ''}${what}: ${instead}.`;
  },
};
