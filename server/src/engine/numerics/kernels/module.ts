/**
 * Loads the WebAssembly kernels. The memory is one per thread, grows to what the largest block needs (40 MB at most)
 * and is reused; nothing in it outlives a call.
 */

import { kernelBinary } from './binary';
import { columnsBinary } from './columns-binary';
import { kernelInstance } from './instance';

/** Exports of kernels.wat; addresses and lengths in bytes and elements as described there. */
export interface Kernels {
  readonly memory: WebAssembly.Memory;
  absMax(p: number, len: number, rows: number, group: number, out: number): void;
  absMaxColumns(p: number, rows: number, columns: number, out: number): void;
  transpose(from: number, stride: number, rows: number, columns: number, to: number): void;
  moments(
    p: number,
    len: number,
    rows: number,
    factor: number,
    signal: number,
    powers: number,
    extremes: number,
  ): void;
  errors(
    p: number,
    len: number,
    rows: number,
    group: number,
    absMax: number,
    perGroup: number,
    perRow: number,
    qmax: number,
    margin: number,
    noise: number,
  ): void;
  extremes(p: number, len: number, rows: number, group: number, out: number): void;
  affineErrors(
    p: number,
    len: number,
    rows: number,
    group: number,
    quantizers: number,
    perGroup: number,
    perRow: number,
    noise: number,
  ): void;
}

/** Exports of columns.wat, on the memory of {@link Kernels}. */
export interface ColumnKernels {
  columnAbsMax(p: number, stride: number, rows: number, columns: number, out: number): void;
  columnMoments(
    p: number,
    stride: number,
    rows: number,
    columns: number,
    factor: number,
    sums: number,
    signal: number,
    powers: number,
    extremes: number,
  ): void;
  columnQuantizers(absMax: number, columns: number, qmax: number, margin: number, to: number): void;
  columnErrors(
    p: number,
    stride: number,
    rows: number,
    columns: number,
    quantizers: number,
    noise: number,
  ): void;
}

const PAGE = 65_536;

let loaded: Kernels | undefined;
let loadedColumns: ColumnKernels | undefined;

/** The kernels, or `undefined` where the engine has no WebAssembly SIMD. */
export function loadKernels(): Kernels | undefined {
  loaded ??= instantiate(Buffer.from(kernelBinary, 'base64'));
  return loaded;
}

/** The kernels for channels that are columns, where {@link loadKernels} has some. */
export function loadColumnKernels(): ColumnKernels | undefined {
  const memory = loadKernels()?.memory;
  // The binary is ours and a test holds it against columns.wat, so its exports are these functions.
  loadedColumns ??=
    memory && (kernelInstance(Buffer.from(columnsBinary, 'base64'), memory)?.exports as ColumnKernels);
  return loadedColumns;
}

/** Makes the memory hold at least `bytes`. Views taken before are void afterwards. */
export function reserve({ memory }: Kernels, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
}

/** Compiles a module; `undefined` when this engine rejects it. */
export function instantiate(binary: Uint8Array<ArrayBuffer>): Kernels | undefined {
  const made = kernelInstance(binary, 1);
  // The binary is ours and a test holds it against kernels.wat, so its exports are these functions.
  return made && { ...(made.exports as Omit<Kernels, 'memory'>), memory: made.memory };
}
