// Assembles the sources in server/src/engine/numerics/kernels/ and writes each binary as a base64 constant beside it.
// `--check` writes nothing and exits with 1 when a committed constant is out of date.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const folder = new URL('../server/src/engine/numerics/kernels/', import.meta.url);

/** Source, file of the constant, name of the constant. */
export const modules = [
  ['kernels.wat', 'binary.ts', 'kernelBinary'],
  ['columns.wat', 'columns-binary.ts', 'columnsBinary'],
  ['histogram.wat', 'histogram-binary.ts', 'histogramBinary'],
  ['range-error.wat', 'range-error-binary.ts', 'rangeErrorBinary'],
];

/** Text of the constant's file for the current source. */
export async function buildKernels(wat = 'kernels.wat', constant = 'kernelBinary') {
  const { parseWat } = await wabt();
  const source = await readFile(new URL(wat, folder), 'utf8');
  const module = parseWat(wat, source, { simd: true });
  module.validate();
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  const literal = lines.map((line) => `  '${line}'`).join(' +\n');
  return `/** Built from ${wat} by scripts/build-kernels.mjs: a WebAssembly module in base64. */
export const ${constant} =
${literal};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [wat, file, constant] of modules) {
    const target = new URL(file, folder);
    const built = await buildKernels(wat, constant);
    if (!process.argv.includes('--check')) {
      await writeFile(target, built);
    } else if ((await readFile(target, 'utf8')) !== built) {
      console.error(`kernels/${file} is out of date: run node scripts/build-kernels.mjs`);
      process.exitCode = 1;
    }
  }
}
