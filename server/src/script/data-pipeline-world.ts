/**
 * The world in which a training script runs for its data: libraries answer with data sets, loaders, transforms and
 * pictures; networks are not built. What was made is listed, in the order it was made.
 */

import { pictureOperation, pictureSubscript } from './data-pipeline-arithmetic';
import {
  dataMethod,
  directoryData,
  generatorFlow,
  generatorType,
  kerasLayers,
  tensorflowData,
} from './data-pipeline-keras';
import { joinedPath, pathCall, pathMethod } from './data-pipeline-paths';
import { pictureCall, pictureMethod } from './data-pipeline-pictures';
import { isTransform, isWholeTransform, transformed, transformLibrary } from './data-pipeline-transforms';
import { given, libraryObject, pathTextIn, pathType, type Studio } from './data-pipeline-values';
import type { Interpreter } from './interpret';
import { methodOf } from './interpret-classes';
import type { World } from './interpret-frame';
import {
  type Arguments,
  type ClassValue,
  constantValue,
  type Environment,
  type FunctionValue,
  iterate,
  numberIn,
  type ObjectValue,
  type Place,
  type PythonValue,
  unknownValue,
} from './interpret-values';
import { freshPicture, type Picture } from './picture';
import type { Program } from './program';
import type { ClassStatement, Expression, Span } from './syntax';

export const loaderType = 'torch.utils.data.DataLoader';
const subsets = /^torch\.utils\.data(\.dataset)?\.(Subset|ConcatDataset|TensorDataset|ChainDataset)$/;
export const torchvisionData = /^torchvision\.datasets(\.\w+)*\.([A-Z]\w*)$/;

/** Classes whose constructors build networks, which data does not depend on. */
const networks =
  /^(torch\.nn\.|(tensorflow\.)?keras\.(layers|models|Model)|pytorch_lightning\.LightningModule|lightning(\.pytorch)?\.LightningModule|transformers\.PreTrainedModel)/;

export class DataWorld implements World, Studio {
  readonly globals: Environment;
  /** Loaders, data sets of tf.data and whole transforms in the order they were made. */
  readonly made: ObjectValue[] = [];
  readonly ran = new Set<FunctionValue['statement']>();
  /** One object of each class that was made. */
  readonly instances = new Map<ClassStatement, ObjectValue>();
  /** The whole transform that a picture went through last. */
  readonly behind = new Map<PythonValue, ObjectValue>();
  private readonly pictures = new Map<ObjectValue, Picture>();
  private readonly used = new Set<PythonValue>();
  private interpreter: Interpreter | undefined;
  /** Variables of files that ran because something was imported from them. */
  private readonly modules = new Map<string, Environment>();
  /** Calls of this file that led to what other files made. */
  private readonly sites = new Map<ObjectValue, Span>();

  /** @param programOf the files that are imported. */
  constructor(
    readonly file: string,
    private readonly programOf: (file: string) => Program | undefined = () => undefined,
  ) {
    this.globals = freshGlobals(file);
  }

  globalsOf(file: string): Environment | undefined {
    if (file === this.file) return this.globals;
    const known = this.modules.get(file);
    if (known) return known;
    const program = this.programOf(file);
    if (!program || !this.interpreter) return undefined;
    const globals = freshGlobals(file);
    // What imports itself sees what is there so far.
    this.modules.set(file, globals);
    this.interpreter.runModule(program.module.statements, program.scope, { globals, file });
    return globals;
  }

  /** The call in this file that led to a value of another one. */
  siteOf(value: ObjectValue): Span | undefined {
    return this.sites.get(value);
  }

  /** The interpreter that runs in this world. */
  attach(interpreter: Interpreter): void {
    this.interpreter = interpreter;
  }

  entered(statement: FunctionValue['statement']): void {
    this.ran.add(statement);
  }

  /** Pictures that nothing else was made of: the ends of their ways. */
  finished(): readonly { readonly value: ObjectValue; readonly picture: Picture }[] {
    return [...this.pictures].flatMap(([value, picture]) =>
      this.used.has(value) ? [] : [{ value, picture }],
    );
  }

  pictureOf(value: PythonValue | undefined): Picture | undefined {
    return value?.kind === 'object' ? this.pictures.get(value) : undefined;
  }

  develop(picture: Picture, origin: Place, from: readonly (PythonValue | undefined)[] = []): ObjectValue {
    const value = libraryObject('#picture', origin, { positional: [], keywords: new Map() });
    this.pictures.set(value, picture);
    for (const one of from) {
      if (!one) continue;
      this.used.add(one);
      const transform = this.behind.get(one);
      if (transform) this.behind.set(value, transform);
    }
    return value;
  }

  /** Takes a picture off the list of those that end somewhere. */
  consume(value: PythonValue): void {
    this.used.add(value);
  }

  run(target: PythonValue, args: Arguments, origin: Place): PythonValue {
    const { interpreter } = this;
    if (!interpreter) return unknownValue;
    for (const one of args.positional) this.used.add(one);
    if (target.kind === 'path') return this.call(target.path, args, origin) ?? unknownValue;
    if (target.kind === 'function') return interpreter.nested(target, args);
    return this.apply(target, args, origin) ?? unknownValue;
  }

  call(path: string, args: Arguments, origin: Place): PythonValue | undefined {
    const known = pathCall(path, args, origin) ?? pictureCall(this, path, args, origin);
    if (known) return known;
    if (path === loaderType || subsets.test(path) || torchvisionData.test(path))
      return this.keep(libraryObject(path, origin, args));
    if (transformLibrary(path)) return this.keep(libraryObject(path, origin, args));
    if (path === 'torch.nn.Sequential' && args.positional.some(isTransform)) {
      const steps = args.positional.map((step, at) => [String(at), step] as const);
      return this.keep(libraryObject(path, origin, args, new Map(steps)));
    }
    if (/^torch\.utils\.data(\.dataset)?\.random_split$/.test(path)) return split(args, origin);
    const directory = directoryData(this, path, args, origin);
    if (directory) {
      for (const one of directory.kind === 'list' ? directory.items : [directory])
        if (one.kind === 'object') this.keep(one);
      return directory;
    }
    if (path === 'numpy.random.seed') return constantValue(null);
    if (path === 'numpy.load') {
      const text = pathTextIn(given(args, 'file', 0));
      const picture = freshPicture();
      const source = text === undefined ? undefined : { path: text, span: origin.span };
      return this.develop(source ? { ...picture, source } : picture, origin);
    }
    if (/^(argparse\.ArgumentParser|tap\.Tap)$/.test(path)) return libraryObject(parserType, origin, args);
    if (
      /(^|\.)(keras\.)?(layers\.|models\.)?(Sequential|Rescaling|Resizing|CenterCrop|Normalization|Random\w+)$/.test(
        path,
      ) &&
      /keras/.test(path)
    )
      return libraryObject(path, origin, args);
    if (generatorType.test(path)) return libraryObject(path, origin, args);
    return undefined;
  }

  private keep(value: ObjectValue): ObjectValue {
    const isListed = value.type === loaderType || value.type === tensorflowData || isWholeTransform(value);
    if (!isListed) return value;
    this.made.push(value);
    const site = value.origin.file === this.file ? undefined : this.interpreter?.site;
    if (site) this.sites.set(value, site);
    return value;
  }

  method(object: PythonValue, name: string, args: Arguments, origin: Place): PythonValue | undefined {
    const picture = pictureMethod(this, object, name, args, origin);
    if (picture || object.kind !== 'object') return picture;
    if (object.type === parserType) return parserMethod(object, name, args, origin);
    if (object.type === pathType) return pathMethod(object, name, args, origin);
    if (object.type === tensorflowData) return dataMethod(this, object, name, args, origin);
    if (generatorType.test(object.type) && name === 'flow_from_directory')
      return this.keep(generatorFlow(this, object, args, origin));
    if (isTransform(object) && (name === '__call__' || name === 'preprocess'))
      return this.apply(object, args, origin);
    return undefined;
  }

  /** A transform, layer or object of the program that is called like a function. */
  apply(target: PythonValue, args: Arguments, origin: Place): PythonValue | undefined {
    if (target.kind !== 'object') return undefined;
    const image = args.keywords.get('image') ?? args.keywords.get('images');
    const subject = args.positional[0] ?? image ?? args.keywords.get('img');
    if (target.class) {
      const method = this.interpreter && methodOf(this.interpreter, target.class, '__call__');
      return method && this.interpreter?.nested({ ...method.function, self: target }, args);
    }
    const layered =
      subject && this.pictureOf(subject) && kerasLayers(target, this.pictureOf(subject) ?? freshPicture());
    if (layered) return this.develop(layered, origin, [subject]);
    const library = isTransform(target) ? (transformLibrary(target.type) ?? 'torchvision') : undefined;
    if (!library || !subject) return undefined;
    const before = this.pictureOf(subject) ?? freshPicture();
    const after = this.develop(transformed(this, target, before, origin.span), origin, [subject]);
    if (isWholeTransform(target)) this.behind.set(after, target);
    if (library === 'albumentations')
      return { kind: 'dict', entries: new Map<string, PythonValue>([['image', after]]) };
    return library === 'transformers'
      ? { kind: 'dict', entries: new Map<string, PythonValue>([['pixel_values', after]]) }
      : after;
  }

  operate(operator: string, left: PythonValue, right: PythonValue, span: Span): PythonValue | undefined {
    const origin = { file: this.interpreter?.file ?? this.file, span };
    const joined = operator === '/' ? joinedPath([left, right], origin) : undefined;
    return joined ?? pictureOperation(this, operator, left, right, origin);
  }

  subscript(object: PythonValue, indexes: readonly Expression[], span: Span): PythonValue | undefined {
    return pictureSubscript(this, object, indexes, { file: this.interpreter?.file ?? this.file, span });
  }

  attribute(object: PythonValue, name: string): PythonValue | undefined {
    if (object.kind !== 'object') return undefined;
    if (object.type === pathType)
      return pathMethod(object, name, { positional: [], keywords: new Map() }, object.origin);
    if (name === 'dataset' && object.type === loaderType) return given(object.args, 'dataset', 0);
    if (name === 'pixel_values' && this.pictureOf(object)) return object;
    return name === 'T' && this.pictureOf(object) ? object : undefined;
  }

  instantiate(target: ClassValue, args: Arguments, origin: Place): PythonValue | undefined {
    if (!this.interpreter) return undefined;
    if (isNetwork(this.interpreter, target)) {
      return {
        kind: 'object',
        type: target.statement.name,
        class: target,
        attributes: new Map(),
        origin,
        args,
      };
    }
    return undefined;
  }
}

function freshGlobals(file: string): Environment {
  return { names: new Map([['__file__', constantValue(file)]]), outer: undefined };
}

/** True for a class of layers, whatever it inherits on the way. */
export function isNetwork(interpreter: Interpreter, target: ClassValue, depth = 0): boolean {
  if (depth > 8) return false;
  return interpreter
    .bases(target)
    .some((base) =>
      base.kind === 'path'
        ? networks.test(base.path)
        : base.kind === 'class' && isNetwork(interpreter, base, depth + 1),
    );
}

/** `random_split(data, lengths)`: as many parts as lengths, all of the same data. */
function split(args: Arguments, origin: Place): PythonValue {
  const [data = unknownValue] = args.positional;
  const lengths = given(args, 'lengths', 1);
  const count = (lengths && iterate(lengths))?.length ?? 2;
  const part = () =>
    libraryObject('torch.utils.data.Subset', origin, { positional: [data], keywords: new Map() });
  return { kind: 'list', items: Array.from({ length: Math.min(count, 8) }, part) };
}

const parserType = '#parser';

/** `add_argument('--size', default=224)` and `parse_args()`: the defaults are the values. */
function parserMethod(
  parser: ObjectValue,
  name: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  if (/^parse_(known_)?args$/.test(name)) {
    const values = libraryObject('#arguments', origin, args, parser.attributes);
    return name === 'parse_args' ? values : { kind: 'list', items: [values, unknownValue] };
  }
  if (name === 'add_argument_group' || name === 'add_mutually_exclusive_group') return parser;
  if (name !== 'add_argument') return undefined;
  const flags = args.positional.map((one) => pathTextIn(one) ?? '');
  const long = flags.find((flag) => flag.startsWith('--')) ?? flags[0] ?? '';
  const target = pathTextIn(given(args, 'dest')) ?? long.replace(/^-+/, '').replaceAll('-', '_');
  const action = pathTextIn(given(args, 'action'));
  const fallback =
    action === 'store_true'
      ? constantValue(false)
      : action === 'store_false'
        ? constantValue(true)
        : unknownValue;
  const value = given(args, 'default') ?? (long.startsWith('-') ? fallback : unknownValue);
  // A default of None says that the value comes from the command line.
  parser.attributes.set(target, value.kind === 'constant' && value.value === null ? unknownValue : value);
  return constantValue(null);
}

/** Number of samples in a batch, `None` and unknown left out. */
export function batchSizeIn(args: Arguments, position?: number): number | undefined {
  const value = given(args, 'batch_size', position);
  return value === undefined ? undefined : numberIn(value);
}
