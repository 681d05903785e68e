/** How every kernel comes to run: a module of ours on a memory, its own or another's. */

export interface KernelInstance {
  readonly memory: WebAssembly.Memory;
  /** What the module exports; whoever asks knows its functions. */
  readonly exports: unknown;
}

/**
 * Compiles a module; `undefined` when this engine rejects it, which it does without SIMD.
 * @param on a memory, or the pages of 64 kB that a new one begins with.
 */
export function kernelInstance(
  binary: Uint8Array<ArrayBuffer>,
  on: number | WebAssembly.Memory,
): KernelInstance | undefined {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(binary)) return undefined;
  const memory = typeof on === 'number' ? new WebAssembly.Memory({ initial: on }) : on;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { host: { memory } });
  return { memory, exports };
}
