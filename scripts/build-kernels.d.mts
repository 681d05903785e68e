/** Text of server/src/engine/numerics/kernels/binary.ts for the current kernels.wat. */
export function buildKernels(): Promise<string>;
