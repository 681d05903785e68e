/** Calls that the interpreter knows: Python's builtins, methods of lists and containers, `torch.nn` constructors. */
import { isInstance } from './interpret-types';
import {
  type Arguments,
  constantValue,
  type DictionaryValue,
  isContainer,
  iterate,
  type ListValue,
  noArguments,
  numberIn,
  type ObjectValue,
  type Place,
  type PythonValue,
  sameValue,
  textOf,
  truthOf,
  unknownValue,
} from './interpret-values';

function list(items: readonly PythonValue[]): ListValue {
  return { kind: 'list', items: [...items] };
}

/** Loops longer than this are not unrolled. */
const MAXIMUM_LENGTH = 4096;

function numeric(operation: (...numbers: number[]) => number): (args: Arguments) => PythonValue {
  return ({ positional }) => {
    const numbers = positional.map(numberIn);
    if (numbers.some((one) => one === undefined)) return unknownValue;
    const result = operation(...numbers.map((one) => one ?? 0));
    return Number.isFinite(result) ? constantValue(result) : unknownValue;
  };
}

/** max and min take numbers or one list of them. */
function extreme(operation: (...numbers: number[]) => number): (args: Arguments) => PythonValue {
  return (args) => {
    const [first, ...others] = args.positional;
    const items = others.length === 0 && first ? iterate(first) : args.positional;
    return items ? numeric(operation)({ positional: items, keywords: args.keywords }) : unknownValue;
  };
}

function overItems(make: (items: readonly PythonValue[]) => PythonValue): (args: Arguments) => PythonValue {
  return ({ positional: [first] }) => {
    const items = first ? iterate(first) : [];
    return items ? make(items) : unknownValue;
  };
}

/** Python's own functions by name. */
export const builtins: Readonly<Record<string, (args: Arguments) => PythonValue>> = {
  range: ({ positional }) => {
    const numbers = positional.map(numberIn);
    if (numbers.length === 0 || numbers.some((one) => one === undefined)) return unknownValue;
    const [first = 0, second, step = 1] = numbers;
    const [start, end] = second === undefined ? [0, first] : [first, second];
    const items: PythonValue[] = [];
    if (step === 0 || (end - start) / step > MAXIMUM_LENGTH) return unknownValue;
    for (let at = start; step > 0 ? at < end : at > end; at += step) items.push(constantValue(at));
    return list(items);
  },
  len: overItems((items) => constantValue(items.length)),
  list: overItems(list),
  tuple: overItems(list),
  reversed: overItems((items) => list([...items].reverse())),
  enumerate: (args) =>
    overItems((items) => {
      const start = numberIn(args.positional[1] ?? args.keywords.get('start')) ?? 0;
      return list(items.map((item, index) => list([constantValue(start + index), item])));
    })(args),
  zip: ({ positional }) => {
    const columns = positional.map(iterate);
    if (columns.some((column) => column === undefined)) return unknownValue;
    const length = Math.min(...columns.map((column) => column?.length ?? 0));
    const rows = Array.from({ length: Number.isFinite(length) ? length : 0 }, (_, row) =>
      list(columns.map((column) => column?.[row] ?? unknownValue)),
    );
    return list(rows);
  },
  sum: overItems((items) =>
    numeric((...numbers) => numbers.reduce((a, b) => a + b, 0))({ positional: items, keywords: new Map() }),
  ),
  any: overItems((items) => quantified(items, true)),
  all: overItems((items) => quantified(items, false)),
  bool: ({ positional: [value] }) => {
    const truth = value ? truthOf(value) : false;
    return truth === undefined ? unknownValue : constantValue(truth);
  },
  int: ({ positional: [value] }) => wholeNumber(value),
  float: numeric((x) => x),
  abs: numeric(Math.abs),
  round: numeric((x) =>
    x - Math.round(x) === -0.5 && Math.round(x) % 2 !== 0 ? Math.round(x) - 1 : Math.round(x),
  ),
  max: extreme(Math.max),
  min: extreme(Math.min),
  str: ({ positional: [first] }) => {
    const text = first && textOf(first);
    return text === undefined ? unknownValue : constantValue(text);
  },
  dict: ({ positional: [first], keywords }) => dictionaryOf(first, keywords),
  set: overItems(list),
  isinstance: ({ positional: [value, types] }) => isInstance(value, types),
};

/** Patterns that say the same in JavaScript, and cannot take long. */
const plainPattern = /^(?!.*[+*}]\)[+*{?])[\w\s\\()[\].*+?,:;/^$-]{1,64}$/;

function splitBy(pattern: string | undefined, text: string | undefined): PythonValue {
  if (
    pattern === undefined ||
    text === undefined ||
    text.length > MAXIMUM_LENGTH ||
    !plainPattern.test(pattern)
  )
    return unknownValue;
  try {
    return list(text.split(new RegExp(pattern)).map((part) => constantValue(part ?? null)));
  } catch {
    return unknownValue;
  }
}

/** One item decides; without it, all must be known. */
function quantified(items: readonly PythonValue[], decisive: boolean): PythonValue {
  const truths = items.map(truthOf);
  if (truths.includes(decisive)) return constantValue(decisive);
  return truths.includes(undefined) ? unknownValue : constantValue(!decisive);
}

/** `int(value)` of a number, or of a text that is one. */
function wholeNumber(value: PythonValue | undefined): PythonValue {
  const given = value?.kind === 'constant' ? value.value : undefined;
  if (typeof given === 'string')
    return /^\s*[+-]?\d+\s*$/.test(given) ? constantValue(Number(given)) : unknownValue;
  return typeof given === 'number' || typeof given === 'boolean'
    ? constantValue(Math.trunc(Number(given)))
    : unknownValue;
}

/** Library functions by path. */
export const libraryFunctions: Readonly<Record<string, (args: Arguments) => PythonValue>> = {
  'copy.copy': ({ positional: [value] }) => copied(value, false),
  'copy.deepcopy': ({ positional: [value] }) => copied(value, true),
  'dataclasses.replace': ({ positional: [value], keywords }) =>
    value?.kind === 'object'
      ? { ...value, attributes: new Map([...value.attributes, ...keywords]) }
      : unknownValue,
  'typing.cast': ({ positional: [, value] }) => value ?? unknownValue,
  'math.ceil': numeric(Math.ceil),
  'math.floor': numeric(Math.floor),
  'math.sqrt': numeric(Math.sqrt),
  'math.log2': numeric(Math.log2),
  're.split': ({ positional: [pattern, value] }) =>
    splitBy(pattern && textOf(pattern), value && textOf(value)),
  'itertools.repeat': ({ positional: [item, times] }) => {
    const count = numberIn(times);
    if (!item || count === undefined || count > MAXIMUM_LENGTH) return unknownValue;
    return list(Array.from({ length: Math.max(0, count) }, () => item));
  },
  'itertools.chain': ({ positional }) => {
    const parts = positional.map(iterate);
    return parts.every((one) => one !== undefined) ? list(parts.flat()) : unknownValue;
  },
  'collections.OrderedDict': ({ positional: [first], keywords }) => dictionaryOf(first, keywords),
};

/** Helpers of torchvision and timm by name alone, for scripts that import them from a place that is not there. */
export const helperFunctions: Readonly<Record<string, (args: Arguments) => PythonValue>> = {
  _make_divisible: divisible,
  make_divisible: divisible,
};

/** The nearest multiple that is at most a tenth smaller. */
function divisible({ positional, keywords }: Arguments): PythonValue {
  const value = numberIn(positional[0] ?? keywords.get('v'));
  const divisor = numberIn(positional[1] ?? keywords.get('divisor')) ?? 8;
  const least = numberIn(positional[2] ?? keywords.get('min_value')) ?? divisor;
  if (value === undefined || divisor <= 0) return unknownValue;
  const nearest = Math.max(least, Math.floor((value + divisor / 2) / divisor) * divisor);
  return constantValue(nearest < 0.9 * value ? nearest + divisor : nearest);
}

/** `OrderedDict([('conv', …), ('relu', …)])`. */
function dictionaryOf(
  first: PythonValue | undefined,
  keywords: ReadonlyMap<string, PythonValue>,
): PythonValue {
  const entries = new Map<string, PythonValue>();
  if (first?.kind === 'dict') for (const [key, value] of first.entries) entries.set(key, value);
  else if (first?.kind === 'list') {
    for (const pair of first.items) {
      const [key, value] = pair.kind === 'list' ? pair.items : [];
      const name = key && textOf(key);
      if (name === undefined || !value) return unknownValue;
      entries.set(name, value);
    }
  } else if (first) return unknownValue;
  for (const [key, value] of keywords) entries.set(key, value);
  return { kind: 'dict', entries };
}

/** Methods of lists and dictionaries; undefined for one that is not known. */
export function callMethod(
  target: ListValue | DictionaryValue,
  method: string,
  { positional }: Arguments,
): PythonValue | undefined {
  const [first, second] = positional;
  if (target.kind === 'dict') {
    switch (method) {
      case 'items':
        return list([...target.entries].map(([key, value]) => list([constantValue(key), value])));
      case 'values':
        return list([...target.entries.values()]);
      case 'keys':
        return list([...target.entries.keys()].map(constantValue));
      case 'get':
        return target.entries.get((first && textOf(first)) ?? '') ?? second ?? constantValue(null);
      case 'pop': {
        const key = (first && textOf(first)) ?? '';
        const value = target.entries.get(key) ?? second ?? unknownValue;
        target.entries.delete(key);
        return value;
      }
      case 'setdefault': {
        const key = (first && textOf(first)) ?? '';
        const value = target.entries.get(key) ?? second ?? constantValue(null);
        target.entries.set(key, value);
        return value;
      }
      case 'copy':
        return { kind: 'dict', entries: new Map(target.entries) };
      case 'update':
        if (first?.kind === 'dict') for (const [key, value] of first.entries) target.entries.set(key, value);
        return constantValue(null);
      default:
        return undefined;
    }
  }
  switch (method) {
    case 'append':
      target.items.push(first ?? unknownValue);
      return constantValue(null);
    case 'extend':
      target.items.push(...((first && iterate(first)) ?? [unknownValue]));
      return constantValue(null);
    case 'insert':
      target.items.splice(numberIn(first) ?? 0, 0, second ?? unknownValue);
      return constantValue(null);
    case 'copy':
      return list(target.items);
    case 'index': {
      const at = target.items.findIndex((item) => first && sameValue(item, first));
      return at === -1 ? unknownValue : constantValue(at);
    }
    case 'pop':
      return target.items.splice(numberIn(first) ?? target.items.length - 1, 1)[0] ?? unknownValue;
    default:
      return undefined;
  }
}

/** Methods of texts; undefined for one that is not known. */
export function callTextMethod(
  text: string,
  method: string,
  { positional }: Arguments,
): PythonValue | undefined {
  const texts = positional.map(textOf);
  const [first] = texts;
  switch (method) {
    case 'startswith':
      return first === undefined ? unknownValue : constantValue(text.startsWith(first));
    case 'endswith':
      return first === undefined ? unknownValue : constantValue(text.endsWith(first));
    case 'isdigit':
      return constantValue(/^\d+$/.test(text));
    case 'strip':
      return positional.length === 0 ? constantValue(text.trim()) : unknownValue;
    case 'lower':
      return constantValue(text.toLowerCase());
    case 'upper':
      return constantValue(text.toUpperCase());
    case 'split':
      return first === undefined ? unknownValue : list(text.split(first).map(constantValue));
    case 'replace': {
      const [, second] = texts;
      if (first === undefined || second === undefined) return unknownValue;
      return constantValue(text.replaceAll(first, second));
    }
    case 'format': {
      let at = 0;
      let complete = true;
      const filled = text.replace(/\{(\d*)\}/g, (_, index: string) => {
        const value = texts[index === '' ? at++ : Number(index)];
        complete &&= value !== undefined;
        return value ?? '';
      });
      return complete ? constantValue(filled) : unknownValue;
    }
    default:
      return undefined;
  }
}

/** A copy as `copy.copy` makes it; `deepcopy` copies the objects inside as well. */
function copied(value: PythonValue | undefined, deep: boolean): PythonValue {
  const inside = (one: PythonValue) => (deep ? copied(one, deep) : one);
  switch (value?.kind) {
    case 'list':
      return list(value.items.map(inside));
    case 'dict':
      return { kind: 'dict', entries: new Map([...value.entries].map(([key, one]) => [key, inside(one)])) };
    case 'object':
      return { ...value, attributes: new Map([...value.attributes].map(([key, one]) => [key, inside(one)])) };
    default:
      return value ?? unknownValue;
  }
}

/** Methods of modules that add children. */
export function callModuleMethod(
  target: ObjectValue,
  method: string,
  { positional, keywords }: Arguments,
): PythonValue | undefined {
  const [first, second] = positional;
  switch (method) {
    case 'add_module':
    case 'register_module':
    case 'register_parameter': {
      const name = first ?? keywords.get('name');
      const text = name && textOf(name);
      const module = second ?? keywords.get('module') ?? keywords.get('param');
      if (text !== undefined && module) target.attributes.set(text, module);
      return target;
    }
    case 'append':
      target.attributes.set(String(target.attributes.size), first ?? unknownValue);
      return target;
    case 'extend':
      for (const item of (first && iterate(first)) ?? [])
        target.attributes.set(String(target.attributes.size), item);
      return target;
    case 'children':
    case 'values':
      return isContainer(target) ? list([...target.attributes.values()]) : undefined;
    case 'to':
    case 'eval':
    case 'train':
    case 'cuda':
    case 'cpu':
    case 'float':
    case 'half':
    case 'double':
    case 'requires_grad_':
      return target;
    default:
      return undefined;
  }
}

/** Modules of libraries that hold others: how their children are named. */
const composites: Readonly<Record<string, (args: Arguments, origin: Place) => Map<string, PythonValue>>> = {
  'torch.nn.Sequential': ({ positional }) => {
    const [first] = positional;
    if (positional.length === 1 && first?.kind === 'dict') return new Map(first.entries);
    return numbered(positional);
  },
  'torch.nn.ModuleList': ({ positional: [first] }) => numbered((first && iterate(first)) ?? []),
  'torch.nn.ModuleDict': ({ positional: [first] }) => new Map(first?.kind === 'dict' ? first.entries : []),
};

/** Blocks of torchvision by class name, for scripts that import them from a place that is not in the workspace. */
const torchvisionBlocks: typeof composites = {
  // A Sequential of convolution, normalisation, activation.
  Conv2dNormActivation: convolutionBlock,
  ConvNormActivation: convolutionBlock,
  SqueezeExcitation: ({ positional: [input, squeeze] }, origin) => {
    const pointwise = (from: PythonValue | undefined, to: PythonValue | undefined) =>
      construct('torch.nn.Conv2d', positionalOnly(from, to, constantValue(1)), origin);
    return new Map([
      ['fc1', pointwise(input, squeeze)],
      ['fc2', pointwise(squeeze, input)],
    ]);
  },
  // Linear, activation, dropout for every hidden size; the last has no activation.
  MLP: ({ positional: [input, hidden] }, origin) => {
    const children = new Map<string, PythonValue>();
    let from = input;
    (hidden && iterate(hidden))?.forEach((size, index) => {
      children.set(String(3 * index), construct('torch.nn.Linear', positionalOnly(from, size), origin));
      from = size;
    });
    return children;
  },
};

function positionalOnly(...positional: readonly (PythonValue | undefined)[]): Arguments {
  return { positional: positional.map((one) => one ?? unknownValue), keywords: new Map() };
}

function convolutionBlock(args: Arguments, origin: Place): Map<string, PythonValue> {
  return numbered([
    construct('torch.nn.Conv2d', args, origin),
    construct('torch.nn.BatchNorm2d', noArguments, origin),
    construct('torch.nn.ReLU', noArguments, origin),
  ]);
}

function numbered(items: readonly PythonValue[]): Map<string, PythonValue> {
  return new Map(items.map((item, index) => [String(index), item]));
}

/** An object of a class of a library. */
export function construct(path: string, args: Arguments, origin: Place): ObjectValue {
  const type = canonicalModule(path);
  const compose = composites[type] ?? torchvisionBlocks[type.slice(type.lastIndexOf('.') + 1)];
  const attributes = compose?.(args, origin) ?? new Map<string, PythonValue>();
  return { kind: 'object', type, class: undefined, attributes, origin, args };
}

/** `torch.nn.modules.conv.Conv2d` and `torch.nn.Conv2d` are one class. */
export function canonicalModule(path: string): string {
  return path.startsWith('torch.nn.modules.')
    ? path.replace(/^torch\.nn\.modules\.(\w+\.)?/, 'torch.nn.')
    : path;
}
