/**
 * The float network's tensors of one batch of samples, in pieces: early segments run few samples at once, because
 * their activations are large, late ones many, because their weights are. Pieces are joined along the first axis where
 * a segment wants more of them.
 */
import { elementCount } from '../base/dtype';
import { defined } from '../base/invariant';
import { arrayFor, type RuntimeTensor, runtimeTensor } from '../runtime/runtime-tensor';
import type { Tensors } from './segment-chain';

/** Pieces [from, to) that run together. */
export interface Piece {
  readonly from: number;
  readonly to: number;
}

export class KeptBatch {
  /** Samples per piece. */
  private readonly counts: number[] = [];
  private readonly tensors = new Map<string, Map<string, RuntimeTensor>>();
  private readonly powers = new Map<string, number>();

  get size(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The pieces as they were added. */
  get parts(): readonly Piece[] {
    return this.counts.map((_, from) => ({ from, to: from + 1 }));
  }

  /** Adds a piece with the model's inputs. */
  append(feeds: Tensors, count: number): void {
    const from = this.counts.length;
    this.counts.push(count);
    this.put(feeds, { from, to: from + 1 });
  }

  put(tensors: Tensors, piece: Piece): void {
    for (const [name, tensor] of Object.entries(tensors)) {
      const known = this.tensors.get(name) ?? new Map<string, RuntimeTensor>();
      this.tensors.set(name, known);
      known.set(keyOf(piece), tensor);
    }
  }

  /** Neighbouring pieces of at most `samples` samples, or single ones that are larger. */
  pieces(samples: number): readonly Piece[] {
    const found: { from: number; to: number; count: number }[] = [];
    this.counts.forEach((count, index) => {
      const last = found.at(-1);
      if (last && last.count + count <= samples) {
        last.to = index + 1;
        last.count += count;
      } else found.push({ from: index, to: index + 1, count });
    });
    return found;
  }

  /** All known tensors for a piece, joined where they are kept in smaller ones. */
  of(names: readonly string[], piece: Piece): Tensors {
    return Object.fromEntries(names.map((name) => [name, this.tensor(name, piece)]));
  }

  /** Σx² of a tensor over the whole batch, once all pieces are here. */
  power(name: string): number {
    const known = this.powers.get(name);
    if (known !== undefined) return known;
    const sum = this.parts.reduce((all, piece) => all + power(this.tensor(name, piece)), 0);
    this.powers.set(name, sum);
    return sum;
  }

  tensor(name: string, piece: Piece): RuntimeTensor {
    const known = defined(this.tensors.get(name), `tensor ${name}`);
    const whole = known.get(keyOf(piece));
    if (whole) return whole;
    const parts: RuntimeTensor[] = [];
    for (let from = piece.from; from < piece.to; ) {
      let to = piece.to;
      while (to > from && !known.has(keyOf({ from, to }))) to--;
      parts.push(defined(known.get(keyOf({ from, to })), `piece of ${name}`));
      from = to;
    }
    const made = joined(parts);
    known.set(keyOf(piece), made);
    return made;
  }
}

/**
 * Joins tensors of layer after layer. What is joined holds until the next layer's tensor of that name and piece: its
 * memory is used again, because fresh memory of that size costs more than copying into it.
 */
export class JoinedTensors {
  private readonly last = new Map<string, RuntimeTensor>();

  /** All tensors of the first part, each with its continuation in the others. */
  of(parts: readonly Tensors[], piece: Piece): Tensors {
    const [first] = parts;
    if (!first || parts.length === 1) return first ?? {};
    return Object.fromEntries(
      Object.keys(first).map((name) => {
        const key = `${name} ${keyOf(piece)}`;
        const made = joined(
          parts.flatMap((part) => part[name] ?? []),
          this.last.get(key),
        );
        this.last.set(key, made);
        return [name, made];
      }),
    );
  }
}

/** Σx². */
export function power({ data }: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < data.length; at++) sum += Number(data[at]) ** 2;
  return sum;
}

function keyOf({ from, to }: Piece): string {
  return `${from}-${to}`;
}

/**
 * One tensor of several along the first axis.
 * @param used a tensor that is not needed any more; its memory is used where it fits.
 */
export function joined(parts: readonly RuntimeTensor[], used?: RuntimeTensor): RuntimeTensor {
  const [first] = parts;
  if (!first || parts.length === 1) return defined(first, 'a part');
  const rows = parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0);
  const dims = [rows, ...first.dims.slice(1)];
  const count = elementCount(dims) ?? 0;
  const data =
    used?.type === first.type && used.data.length === count ? used.data : arrayFor(first.type, count);
  let at = 0;
  for (const part of parts) {
    // Both are of one type, which the compiler cannot know.
    (data as Float32Array).set(part.data as Float32Array, at);
    at += part.data.length;
  }
  return runtimeTensor(first.type, dims, data);
}
