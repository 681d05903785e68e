/** Source, file of the constant and name of the constant per module, in server/src/engine/numerics/kernels/. */
export const modules: readonly (readonly [wat: string, file: string, constant: string])[];
/** Text of a constant's file for the current source; default: kernels.wat. */
export function buildKernels(wat?: string, constant?: string): Promise<string>;
