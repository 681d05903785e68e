/** The Python parser of this process, loaded when first asked for from the WebAssembly beside the program. */
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { PythonParser } from '../script/parser';

let loading: Promise<PythonParser> | undefined;

/** @param folder where `web-tree-sitter.wasm` and `tree-sitter-python.wasm` lie; that of the program by default. */
export function pythonParser(folder: string = __dirname): Promise<PythonParser> {
  loading ??= load(folder);
  return loading;
}

async function load(folder: string): Promise<PythonParser> {
  const [runtime, grammar] = await Promise.all(
    ['web-tree-sitter.wasm', 'tree-sitter-python.wasm'].map((name) => readFile(path.join(folder, name))),
  );
  if (!runtime || !grammar) throw new Error('both files were asked for');
  return PythonParser.load({ runtime, grammar });
}
