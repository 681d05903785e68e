// Assembles server/src/engine/numerics/kernels/kernels.wat and writes the binary as a base64 constant beside it.
// `--check` writes nothing and exits with 1 when the committed constant is out of date.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const folder = new URL('../server/src/engine/numerics/kernels/', import.meta.url);

/** Text of binary.ts for the current kernels.wat. */
export async function buildKernels() {
  const { parseWat } = await wabt();
  const source = await readFile(new URL('kernels.wat', folder), 'utf8');
  const module = parseWat('kernels.wat', source, { simd: true });
  module.validate();
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  const literal = lines.map((line) => `  '${line}'`).join(' +\n');
  return `/** Built from kernels.wat by scripts/build-kernels.mjs: a WebAssembly module in base64. */
export const kernelBinary =
${literal};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = new URL('binary.ts', folder);
  const built = await buildKernels();
  if (!process.argv.includes('--check')) {
    await writeFile(target, built);
  } else if ((await readFile(target, 'utf8')) !== built) {
    console.error('kernels/binary.ts is out of date: run node scripts/build-kernels.mjs');
    process.exitCode = 1;
  }
}
