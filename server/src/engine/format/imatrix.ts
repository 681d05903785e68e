/**
 * Importance matrices of llama.cpp: per tensor and input column the mean square of the activation that meets it, which
 * is the diagonal of the input's second moments. Two formats, little endian; source: llama.cpp, tools/imatrix.
 *
 *     .dat   i32 entries · entry: i32 bytes, name, i32 calls, i32 values, f32[values] mean square · calls
 *            [i32 chunks, i32 bytes, data set]
 *     GGUF   tensors NAME.in_sum2 (columns × matrices) and NAME.counts (1 × matrices), both F32
 */
import type { ByteSource } from '../base/byte-source';
import { fail, type Outcome, ok } from '../base/outcome';
import { ByteReader, damagedIssue, guardReads, readIssue } from './byte-reader';
import { readGguf } from './gguf';
import type { WeightTensor } from './weights-file';

const MAX_ENTRIES = 1_000_000;
const MAX_NAME_BYTES = 65_535;

/** Where the values of a tensor stand; read on demand. */
interface Entry {
  readonly sums: { readonly offset: number; readonly count: number };
  /** Number of samples behind the sums: one, or one per matrix of a stack, `offset` then tells where. */
  readonly counts: number | { readonly offset: number; readonly count: number };
}

export class ImportanceMatrix {
  constructor(
    private readonly source: ByteSource,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** Names of tensors, as the file has them: `blk.0.attn_q.weight`. */
  get names(): readonly string[] {
    return [...this.entries.keys()];
  }

  /**
   * Mean square per column, the matrices of a stack one after the other; `undefined` for a tensor that is not there or
   * whose values are no squares. Matrices that no sample met get 1 everywhere, as llama.cpp has it.
   */
  importance(name: string): Float32Array | undefined {
    const entry = this.entries.get(name);
    if (entry === undefined) return undefined;
    const { sums } = entry;
    const counts =
      typeof entry.counts === 'number' ? Float32Array.of(entry.counts) : this.floats(entry.counts);
    const columns = sums.count / counts.length;
    const means = this.floats(sums).map((sum, index) => {
      const count = counts[Math.floor(index / columns)] ?? 0;
      return count > 0 ? sum / count : 1;
    });
    return means.every((mean) => mean >= 0 && Number.isFinite(mean)) ? means : undefined;
  }

  private floats({ offset, count }: { readonly offset: number; readonly count: number }): Float32Array {
    const bytes = this.source.read(offset, 4 * count);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: count }, (_, index) => view.getFloat32(4 * index, true));
  }
}

/** Reads the directory of a file; one issue and no value when it is damaged or something else. */
export function readImatrix(source: ByteSource): Outcome<ImportanceMatrix> {
  return guardReads(source.path, () => {
    const magic = source.size >= 4 ? String.fromCharCode(...source.read(0, 4)) : '';
    return magic === 'GGUF' || magic === 'FUGG' ? readTensors(source) : readLegacy(source);
  });
}

function readTensors(source: ByteSource): Outcome<ImportanceMatrix> {
  const file = readGguf(source);
  if (!file.value) return fail(...file.issues);
  const tensors = new Map(file.value.tensors.map((tensor) => [tensor.name, tensor]));
  const entries = new Map<string, Entry>();
  for (const [name, sums] of tensors) {
    if (!name.endsWith('.in_sum2')) continue;
    const stem = name.slice(0, -'.in_sum2'.length);
    const counts = tensors.get(`${stem}.counts`);
    const fits = counts !== undefined && counts.elements > 0 && sums.elements % counts.elements === 0;
    if (!fits || !isFloat(sums) || !isFloat(counts)) {
      return fail(damagedIssue(source, sums.offset, `${name} has no counts that fit, or they are not F32`));
    }
    entries.set(stem, {
      sums: { offset: sums.offset, count: sums.elements },
      counts: { offset: counts.offset, count: counts.elements },
    });
  }
  if (entries.size > 0) return ok(new ImportanceMatrix(source, entries));
  return fail(damagedIssue(source, 0, 'no importance matrix: it has no tensor named ….in_sum2'));
}

function isFloat(tensor: WeightTensor): boolean {
  return tensor.dtype === 'F32';
}

function readLegacy(source: ByteSource): Outcome<ImportanceMatrix> {
  const reader = new ByteReader(source);
  const entries = new Map<string, Entry>();
  const announced = reader.uint32();
  const none = (offset: number) => fail(damagedIssue(source, offset, 'no importance matrix'));
  if (reader.failure === undefined && (announced === 0 || announced > MAX_ENTRIES)) return none(0);
  for (let index = 0; index < announced && reader.failure === undefined; index++) {
    const start = reader.position;
    const length = reader.uint32();
    if (length > MAX_NAME_BYTES) return none(start);
    const name = reader.text(length);
    const calls = reader.uint32();
    const count = reader.uint32();
    if (reader.failure === undefined && (count === 0 || name === '')) return none(start);
    const offset = reader.position;
    reader.skip(4 * count);
    entries.set(name, { sums: { offset, count }, counts: calls });
  }
  if (reader.failure !== undefined) return fail(readIssue(source, reader.failure));
  return ok(new ImportanceMatrix(source, entries));
}

/** Tensor names of checkpoints, in llama.cpp's words; what stands behind `layers.N.` or `blk.N.`. */
const BLOCK_NAMES: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'attention.wq': 'attn_q',
  'attention.wk': 'attn_k',
  'attention.wv': 'attn_v',
  'attention.wo': 'attn_output',
  'feed_forward.w1': 'ffn_gate',
  'feed_forward.w2': 'ffn_down',
  'feed_forward.w3': 'ffn_up',
  wq: 'attn_q',
  wk: 'attn_k',
  wv: 'attn_v',
  wo: 'attn_output',
  w1: 'ffn_gate',
  w2: 'ffn_down',
  w3: 'ffn_up',
};

/** Names under which an importance matrix may list a weight: its own, and llama.cpp's for that of a checkpoint. */
export function importanceNames(weight: string): readonly string[] {
  const stem = weight.replaceAll('/', '.').replace(/\.weight$/, '');
  const names = [weight, `${stem}.weight`];
  if (/^(lm_head|output)$/.test(stem)) names.push('output.weight');
  const [, block = '', rest = ''] = /(?:^|\.)layers\.(\d+)\.(.+)$/.exec(stem) ?? [];
  const known = Object.entries(BLOCK_NAMES).find(([name]) => rest === name);
  if (known) names.push(`blk.${block}.${known[1]}.weight`);
  return [...new Set(names)];
}
