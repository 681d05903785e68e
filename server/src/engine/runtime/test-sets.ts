/** Folders of `test_data_set_*` with `input_*.pb` files, as ONNX's own test suites have them: one set = one sample. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { openFile } from '../base/byte-source';
import { fail, type Outcome, ok } from '../base/outcome';
import { readTensorFile } from '../format/tensor-file';
import { filesFingerprint } from './file-fingerprint';
import { fits, type ModelInput, type ModelInputs, mismatch } from './model-inputs';
import {
  describeTensor,
  isRuntimeType,
  type RuntimeTensor,
  runtimeTensor,
  runtimeTypeOf,
} from './runtime-tensor';
import type { Sample, SampleSource } from './sample-source';

const SET = /^test_data_set_(\d+)$/;
const INPUT = /^input_(\d+)\.pb$/;

/** Folders of sets in a folder, by number; the folder itself when it holds the inputs of one set. */
export function testSetFolders(folder: string): readonly string[] {
  const names = fs.readdirSync(folder);
  if (names.some((name) => INPUT.test(name))) return [folder];
  return byNumber(names, SET).map((name) => path.join(folder, name));
}

/** One sample per set; every input is fed as it is. */
export function testSetSource(folder: string, sets: readonly string[], inputs: ModelInputs): SampleSource {
  return {
    description: folder,
    available: sets.length,
    stackable: false,
    names: sets.map((set) => path.basename(set)),
    read: async (first, count) => {
      const samples: Sample[] = [];
      for (const set of sets.slice(first, first + count)) {
        const sample = readSet(set, inputs);
        if (sample.value === undefined) return fail(...sample.issues);
        samples.push(sample.value);
      }
      return ok(samples);
    },
    fingerprint: (count, signal) =>
      filesFingerprint(
        sets.slice(0, count).flatMap((set) =>
          inputFiles(set).map((name) => ({
            name: `${path.basename(set)}/${name}`,
            path: path.join(set, name),
          })),
        ),
        signal,
      ),
    close: () => {},
  };
}

function readSet(set: string, inputs: ModelInputs): Outcome<Sample> {
  const tensors: { name: string; tensor: RuntimeTensor }[] = [];
  for (const file of inputFiles(set)) {
    const read = readFile(path.join(set, file), inputs.list[tensors.length]);
    if (read.value === undefined) return fail(...read.issues);
    tensors.push(read.value);
  }
  const named = inputs.list.every((input) => tensors.some((one) => one.name === input.name));
  const sample: Record<string, Sample[string]> = {};
  for (const [index, input] of inputs.list.entries()) {
    // Files are numbered in the order of the inputs; their names, where they fit, say it again.
    const tensor = (named ? tensors.find((one) => one.name === input.name) : tensors[index])?.tensor;
    if (tensor === undefined) return fail(mismatch(input, `${tensors.length} input files in ${set}`));
    if (tensor.type !== input.type || !fits(input, tensor.dims)) {
      return fail(mismatch(input, describeTensor(tensor.type, tensor.dims)));
    }
    sample[input.name] = { tensor, use: 'whole' };
  }
  return ok(sample);
}

function readFile(
  file: string,
  input: ModelInput | undefined,
): Outcome<{ name: string; tensor: RuntimeTensor }> {
  const source = openFile(file);
  if (source.value === undefined) return fail(...source.issues);
  try {
    const read = readTensorFile(source.value);
    if (read.value === undefined) return fail(...read.issues);
    const { name, dataType, shape, data } = read.value;
    const type = runtimeTypeOf(dataType.code);
    if (type !== undefined && isRuntimeType(type))
      return ok({ name, tensor: runtimeTensor(type, shape, data) });
    const found = describeTensor(dataType.name, shape);
    return fail(mismatch(input ?? { name, type: 'float32', dims: undefined, batched: false }, found));
  } finally {
    source.value.close();
  }
}

function inputFiles(set: string): readonly string[] {
  try {
    return byNumber(fs.readdirSync(set), INPUT);
  } catch {
    return [];
  }
}

function byNumber(names: readonly string[], pattern: RegExp): string[] {
  const number = (name: string) => Number(pattern.exec(name)?.[1]);
  return names.filter((name) => pattern.test(name)).sort((a, b) => number(a) - number(b));
}
