/** How every kernel comes to run: a module of ours on a memory of its own. */

export interface KernelInstance {
  readonly memory: WebAssembly.Memory;
  /** What the module exports; whoever asks knows its functions. */
  readonly exports: unknown;
}

/**
 * Compiles a module; `undefined` when this engine rejects it, which it does without SIMD.
 * @param pages of 64 kB that the memory begins with.
 */
export function kernelInstance(binary: Uint8Array<ArrayBuffer>, pages: number): KernelInstance | undefined {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(binary)) return undefined;
  const memory = new WebAssembly.Memory({ initial: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { host: { memory } });
  return { memory, exports };
}
