/**
 * Tensors of weight files that belong to weights stored as codes: integer codes, which only the scheme that wrote them
 * can read, and scales, zero points and orders beside them, which are no layers. Names are those that GPTQ, AWQ,
 * bitsandbytes, compressed-tensors, HQQ, MLX and MXFP4 files use; `quantization_config` is that of Transformers.
 */
import { openFile, resolveBeside } from '../base/byte-source';
import { type Issue, issue } from '../base/issue';
import type { WeightTensor } from '../format/weights-file';

export interface StoredCodes {
  /** Integer tensors that stand for weights. */
  readonly codes: readonly WeightTensor[];
  /** Names of the tensors that say what codes mean. */
  readonly parameters: ReadonlySet<string>;
}

/** Sorts the tensors of all parts by name and type; nothing is read. */
export function storedCodes(tensors: readonly WeightTensor[]): StoredCodes {
  const coded = tensors.filter(
    ({ dtype, shape }) => shape.length >= 2 && (integers.has(dtype) || smallFloats.has(dtype)),
  );
  const modules = new Set(
    coded.filter(({ name }) => !parameter.test(lastOf(name))).flatMap(({ name }) => [name, moduleOf(name)]),
  );
  const parameters = new Set(
    tensors
      .filter(({ name }) => parameter.test(lastOf(name)) && modules.has(moduleOf(name)))
      .map(({ name }) => name),
  );
  const explained = new Set([...parameters].map(moduleOf));
  const codes = tensors.filter(({ name, dtype, shape }) => {
    if (!integers.has(dtype) || shape.length < 2 || parameters.has(name)) return false;
    return codeName.test(lastOf(name)) || explained.has(name) || explained.has(moduleOf(name));
  });
  return { codes, parameters };
}

/** One warning where weights are stored as codes, with the scheme that the files tell. */
export function codesIssue(path: string, tensors: readonly WeightTensor[]): readonly Issue[] {
  const { codes, parameters } = storedCodes(tensors);
  if (codes.length === 0) return [];
  const [declared, named] = [declaredScheme(path), schemeOf(codes, parameters, tensors)];
  // Names of bitsandbytes tell the type of the codes, its configuration does in other words.
  const scheme = declared === undefined || named?.startsWith(declared) ? named : declared;
  const facts = { tensors: codes.map(({ name }) => name), ...(scheme ? { scheme } : {}) };
  return [issue('codes-unread', facts, { path }, 'warning')];
}

const integers: ReadonlySet<string> = new Set(['I8', 'U8', 'I16', 'U16', 'I32', 'U32']);
const smallFloats: ReadonlySet<string> = new Set([
  'F8_E4M3',
  'F8_E4M3FNUZ',
  'F8_E5M2',
  'F8_E5M2FNUZ',
  'F6_E2M3',
  'F6_E3M2',
  'F4',
]);

const parameter =
  /^(scales?|biases|q?zeros|zero|g_idx|SCB|absmax|quant_map|nested_\w+|bitsandbytes__\w+|weight_format|\w+_(scales?|scale_inv|scale_2|zero_point|g_idx|shape))$/;
const codeName = /(weight|packed|blocks|codes|W_q)$/;

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** What a tensor is part of; without a dot, the file. */
function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

/** By the names of tensors; `undefined` where several schemes use them. */
function schemeOf(
  codes: readonly WeightTensor[],
  parameters: ReadonlySet<string>,
  tensors: readonly WeightTensor[],
): string | undefined {
  const lasts = new Set(tensors.map(({ name }) => lastOf(name)));
  const ends = (end: string) => [...lasts].some((last) => last.endsWith(end));
  if (lasts.has('qweight')) return lasts.has('g_idx') ? 'GPTQ' : packedAlong(codes, tensors);
  if (ends('weight_packed')) return 'compressed-tensors';
  if (lasts.has('SCB')) return 'bitsandbytes int8';
  if (ends('bitsandbytes__nf4')) return 'bitsandbytes NF4';
  if (ends('bitsandbytes__fp4')) return 'bitsandbytes FP4';
  if (lasts.has('absmax')) return 'bitsandbytes';
  if (lasts.has('W_q')) return 'HQQ';
  if (codes.some(({ name }) => name.endsWith('_blocks'))) return 'MXFP4';
  return [...parameters].some((name) => lastOf(name) === 'biases') ? 'MLX' : undefined;
}

/** GPTQ packs several inputs into one number, AWQ several outputs. */
function packedAlong(codes: readonly WeightTensor[], tensors: readonly WeightTensor[]): string | undefined {
  const packed = codes.find(({ name }) => lastOf(name) === 'qweight');
  const scales = packed && tensors.find(({ name }) => name === `${moduleOf(packed.name)}.scales`);
  if (!packed || !scales) return undefined;
  return packed.shape[1] === scales.shape[1] ? 'GPTQ' : 'AWQ';
}

/** Configurations are small; what is larger is something else. */
const MAX_CONFIG_BYTES = 4 << 20;

/** Method, bits and group size of a `config.json` beside the weights. */
function declaredScheme(path: string): string | undefined {
  const beside = resolveBeside(path, 'config.json').path;
  const source = beside === undefined ? undefined : openFile(beside).value;
  if (!source) return undefined;
  try {
    if (source.size > MAX_CONFIG_BYTES) return undefined;
    const config: unknown = JSON.parse(new TextDecoder().decode(source.read(0, source.size)));
    return schemeText(fieldOf(config, 'quantization_config'));
  } catch {
    return undefined;
  } finally {
    source.close();
  }
}

function schemeText(config: unknown): string | undefined {
  const method = fieldOf(config, 'quant_method');
  if (typeof method !== 'string' || !/^[\w.+-]{1,40}$/.test(method)) return undefined;
  const [bits, group] = ['bits', 'group_size'].map((name) => fieldOf(config, name));
  const parts = [methods[method] ?? method];
  if (typeof bits === 'number') parts.push(`${bits} bits`);
  if (typeof group === 'number' && group > 0) parts.push(`groups of ${group}`);
  return parts.join(', ');
}

const methods: Readonly<Record<string, string>> = { gptq: 'GPTQ', awq: 'AWQ', hqq: 'HQQ', mxfp4: 'MXFP4' };

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
