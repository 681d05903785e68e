/** What the rules on ONNX tools ask of a script: its exports, its quantize calls, the kind of network it defines. */
import { canonicalPath } from '../../script/catalog';
import { argument, argumentValue, type Call } from '../../script/program';
import type { Argument } from '../../script/syntax';
import { booleanOf, numberOf, pathOfValue, type Value } from '../../script/values';
import { callsOf, type ScriptFacts } from './script-rule';

const quantizeStatic = 'onnxruntime.quantization.quantize_static';
const quantizeDynamic = 'onnxruntime.quantization.quantize_dynamic';

/** Position of each parameter that the rules read, by function; keyword-only ones have none. */
const positions: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  [quantizeStatic]: {
    model_input: 0,
    model_output: 1,
    calibration_data_reader: 2,
    quant_format: 3,
    op_types_to_quantize: 4,
    per_channel: 5,
    reduce_range: 6,
    activation_type: 7,
    weight_type: 8,
    nodes_to_quantize: 9,
    nodes_to_exclude: 10,
    use_external_data_format: 11,
    calibrate_method: 12,
  },
  [quantizeDynamic]: {
    model_input: 0,
    model_output: 1,
    op_types_to_quantize: 2,
    per_channel: 3,
    reduce_range: 4,
    weight_type: 5,
    nodes_to_quantize: 6,
    nodes_to_exclude: 7,
  },
};

export function staticCalls(facts: ScriptFacts): readonly Call[] {
  return callsOf(facts, quantizeStatic);
}

export function dynamicCalls(facts: ScriptFacts): readonly Call[] {
  return callsOf(facts, quantizeDynamic);
}

/** Value of an argument of one of onnxruntime's functions; undefined when it is not given. */
export function given(call: Call, name: string): Value | undefined {
  const path = call.path === undefined ? '' : canonicalPath(call.path);
  return argumentValue(call, name, positions[path]?.[name]);
}

/** An argument of one of onnxruntime's functions as it is written; undefined when it is not, or hidden behind a star. */
export function writtenArgument(call: Call, name: string): Argument | undefined {
  const path = call.path === undefined ? '' : canonicalPath(call.path);
  const found = argument(call, name, positions[path]?.[name]);
  return found === 'hidden' ? undefined : found;
}

/** Last part of an enumeration's member: `QInt8` of `QuantType.QInt8`; undefined when unknown. */
export function member(value: Value | undefined): string | undefined {
  const path = pathOfValue(value);
  return path?.slice(path.lastIndexOf('.') + 1);
}

/** The value of a member argument: what is written, the default when nothing is, undefined when it is not known. */
export function memberOr(call: Call, name: string, fallback: string): string | undefined {
  const value = given(call, name);
  return value === undefined ? fallback : member(value);
}

/** True or false when it is certain; the default of both functions is false. */
export function flag(call: Call, name: string): boolean | undefined {
  const value = given(call, name);
  return value === undefined ? false : booleanOf(value);
}

/** torch.onnx.export calls with the opset they ask for; undefined = not given or not known. */
export function exports(
  facts: ScriptFacts,
): readonly { readonly call: Call; readonly opset: number | undefined }[] {
  return callsOf(facts, 'torch.onnx.export', 'torch.onnx.utils.export').map((call) => ({
    call,
    opset: numberOf(argumentValue(call, 'opset_version')),
  }));
}

/** Which kinds of layers the networks of the script have. */
export function layerKinds(facts: ScriptFacts): {
  readonly convolution: boolean;
  readonly attention: boolean;
  readonly recurrent: boolean;
} {
  const types = facts.trees().flatMap((tree) => tree.layers.map(({ type }) => type));
  return {
    convolution: types.some((type) => /\.Conv\w*d$/.test(type)),
    attention: types.some((type) => /MultiheadAttention$/.test(type)),
    recurrent: types.some((type) => /\.(LSTM|GRU|RNN)(Cell)?$/.test(type)),
  };
}
