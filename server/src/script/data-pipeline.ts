/**
 * The data that a script feeds its network, in the terms of calibration: where the samples lie, how a picture becomes
 * an input, how many are in a batch. The script's own code says it: it runs for its data alone (`data-pipeline-world`),
 * first the module, then what nothing calls. What is not known is a doubt, never a guess.
 */
import type { PreprocessingSpec } from '../protocol/reports';
import { tensorflowData } from './data-pipeline-keras';
import { better, inOrder, withRole } from './data-pipeline-order';
import {
  isTransform,
  isWholeTransform,
  type Library,
  transformed,
  transformLibrary,
} from './data-pipeline-transforms';
import { given, pathTextIn } from './data-pipeline-values';
import { batchSizeIn, DataWorld, isNetwork, loaderType, torchvisionData } from './data-pipeline-world';
import type { VariableReader } from './imports';
import { Interpreter, type Resolver } from './interpret';
import { methodOf } from './interpret-classes';
import {
  type Arguments,
  type ClassValue,
  noArguments,
  type ObjectValue,
  type Place,
  type PythonValue,
  unknownValue,
} from './interpret-values';
import type { ScriptFile } from './module-tree';
import { definitionOf } from './names';
import { type Doubt, freshPicture, type Picture, type PreprocessingKey, withDoubt } from './picture';
import type { Program } from './program';
import type { Span } from './syntax';

/** A part of the script that data comes from. */
export interface PipelinePart {
  /** The call that makes it. */
  readonly span: Span;
  /** File of the workspace that the call is in; missing in the script itself. */
  readonly file?: string;
  /** How code at the end of the module names it: `val_loader`, `loaders['val']`. */
  readonly name?: string;
}

export interface DataPipeline {
  /** What the samples are for, as far as names and random steps tell. */
  readonly role: 'evaluation' | 'training' | 'unknown';
  readonly kind: 'loader' | 'data' | 'transform' | 'by-hand';
  /** The call that stands for it: of the loader, else of the transform, else of what reads the picture. */
  readonly span: Span;
  readonly loader?: PipelinePart;
  readonly transform?: PipelinePart;
  /** Paths that are the data, or hold it, most likely first: as the script writes them. */
  readonly sources: readonly { readonly path: string; readonly span: Span; readonly file?: string }[];
  readonly preprocessing: PreprocessingSpec;
  /** The steps that settle each value. */
  readonly evidence: Readonly<Partial<Record<PreprocessingKey, Span>>>;
  readonly batchSize?: number;
  /** True where the framework is PyTorch: what the loader yields are its tensors. */
  readonly isTorch: boolean;
  /** Library of the transform: how it is called. */
  readonly library?: Library;
  readonly doubts: readonly Doubt[];
}

/** Words without which there is nothing to find; looked for before anything runs. */
const mentions =
  /\b(DataLoader|Compose|transforms|Normalize|cv2|Image\.open|image_dataset_from_directory|ImageDataGenerator|\w*ImageProcessor|create_transform|permute|preprocess_input|np\.load|blobFromImage)\b/;

/** Names under which other files hand out data. */
const mentionsOfOthers = /\bimport\b.*(load|data|transform|preprocess|augment)/i;

/** The files of the workspace that a script imports. */
export interface ImportedFiles {
  /** Finds what is imported; variables are read by the reader that is given. */
  resolver(variable: VariableReader): Resolver;
  program(file: string): Program | undefined;
}

/** Pipelines listed of one script. */
const MAXIMUM_PIPELINES = 16;

/**
 * Data pipelines of a script or notebook, those for evaluation first, then in the order of the text.
 * @param imported what the script imports from its workspace: those files run as well, where something of them is used.
 */
export function dataPipelines(
  source: ScriptFile & { readonly text: string },
  imported?: ImportedFiles,
): readonly DataPipeline[] {
  const { program, file, text } = source;
  if (!mentions.test(text) && !(imported && mentionsOfOthers.test(text))) return [];
  const world = new DataWorld(file, imported?.program);
  const resolve = imported?.resolver(({ name }, _, from) => world.globalsOf(from)?.names.get(name));
  const interpreter = new Interpreter(resolve ?? (() => undefined), world);
  world.attach(interpreter);
  runAll(source, world, interpreter);
  const reader = new Reader(world, interpreter, namesIn(world), source);
  const calls = new Map(program.calls.map((call) => [call.expression.span.join(), call]));
  const found = new Map<string, DataPipeline>();
  const keep = (one: DataPipeline | undefined) => {
    if (!one) return;
    const pipeline = withRole(one, calls.get(one.span.join()));
    // A call may lead to several loaders in another file.
    const key = [pipeline.span, pipeline.loader?.file, pipeline.loader?.span].join();
    const known = found.get(key);
    found.set(key, known ? better(known, pipeline) : pipeline);
  };
  for (const value of world.made)
    if (reader.anchor(value) && !isWholeTransform(value)) keep(reader.data(value));
  for (const { value, picture } of world.finished()) keep(reader.byHand(value, picture));
  for (const value of world.made)
    if (reader.anchor(value) && isWholeTransform(value) && !reader.claimed.has(value))
      keep(reader.transform(value));
  return inOrder([...found.values()]).slice(0, MAXIMUM_PIPELINES);
}

/** Runs the module, then functions that nothing called, then methods of classes, callers before what they call. */
function runAll({ program, file }: ScriptFile, world: DataWorld, interpreter: Interpreter): void {
  interpreter.runModule(program.module.statements, program.scope, world);
  const called = new Set(
    program.calls.flatMap((call) => {
      const target = definitionOf(call.expression.callee, call.scope);
      return target?.kind === 'function' ? [target.statement] : [];
    }),
  );
  const free = program.functions.filter(
    ({ class: owner, scope }) => !owner && scope.parent?.kind === 'module',
  );
  const inOrder = [...free.filter((one) => !called.has(one.statement)), ...free];
  for (const { statement, scope } of inOrder) {
    if (world.ran.has(statement)) continue;
    interpreter.call(
      { kind: 'function', statement, scope, closure: undefined, self: undefined, file },
      noArguments,
    );
  }
  for (const { statement, scope } of program.classes) {
    const target: ClassValue = { kind: 'class', statement, scope, file };
    const network = isNetwork(interpreter, target);
    const methods = program.functions.filter(
      (one) => one.class === statement && !world.ran.has(one.statement),
    );
    const wanted = methods.filter(
      ({ statement: { name } }) => name !== '__init__' && (!network || dataMethods.test(name)),
    );
    if (wanted.length === 0) continue;
    const self =
      world.instances.get(statement) ??
      interpreter.instantiate(target, noArguments, { file, span: statement.nameSpan });
    for (const method of wanted)
      if (!world.ran.has(method.statement))
        interpreter.call(
          {
            kind: 'function',
            statement: method.statement,
            scope: method.scope,
            closure: undefined,
            self,
            file,
          },
          noArguments,
        );
  }
}

/** Methods of Lightning modules that make data. */
const dataMethods = /dataloader|^setup$|^prepare_data$/;

/** Names under which code at the end of the module reaches what was made. */
function namesIn({ globals }: DataWorld): ReadonlyMap<PythonValue, string> {
  const names = new Map<PythonValue, string>();
  const add = (value: PythonValue, name: string) => {
    if (!names.has(value)) names.set(value, name);
  };
  for (const [name, value] of globals.names) {
    add(value, name);
    if (value.kind === 'dict')
      for (const [key, one] of value.entries)
        add(one, `${name}[${JSON.stringify(key).replaceAll('"', "'")}]`);
    if (value.kind === 'list') for (const [at, one] of value.items.entries()) add(one, `${name}[${at}]`);
  }
  return names;
}

class Reader {
  /** Transforms that a loader or a picture uses. */
  readonly claimed = new Set<PythonValue>();
  private readonly world: DataWorld;
  private readonly interpreter: Interpreter;
  private readonly names: ReadonlyMap<PythonValue, string>;
  private readonly file: string;
  private readonly imports: ReadonlyMap<string, Span>;

  constructor(
    world: DataWorld,
    interpreter: Interpreter,
    names: ReadonlyMap<PythonValue, string>,
    { file, program }: ScriptFile,
  ) {
    this.world = world;
    this.interpreter = interpreter;
    this.names = names;
    this.file = file;
    this.imports = importedNames(program);
  }

  /** Where this file makes a value, asks for it, or imports it; undefined for what it has nothing to do with. */
  anchor(value: ObjectValue): Span | undefined {
    const { origin } = value;
    if (origin.file === this.file) return origin.span;
    return this.world.siteOf(value) ?? this.imports.get(this.names.get(value) ?? '');
  }

  /** A loader, or a data set of tf.data. */
  data(value: ObjectValue): DataPipeline | undefined {
    const { args, origin } = value;
    const isLoader = value.type === loaderType;
    if (!isLoader && value.type !== tensorflowData) return undefined;
    const facts = isLoader ? this.dataSet(given(args, 'dataset', 0), 0) : this.directory(value);
    const batchSize = isLoader
      ? (batchSizeIn(args, 1) ?? (hasBatchSize(args) ? undefined : 1))
      : (batchSizeIn(args) ?? (hasBatchSize(args) ? undefined : 32));
    const part = this.part(value);
    return this.pipeline(facts, {
      kind: isLoader ? 'loader' : 'data',
      span: this.anchor(value) ?? origin.span,
      loader: part,
      isTorch: isLoader,
      ...(batchSize === undefined ? {} : { batchSize }),
    });
  }

  /** A transform that no loader uses. */
  transform(value: ObjectValue): DataPipeline | undefined {
    if (this.claimed.has(value)) return undefined;
    const span = this.anchor(value) ?? value.origin.span;
    const picture = transformed(this.world, value, freshPicture(), span);
    return this.pipeline(
      { picture, transform: value, sources: [] },
      { kind: 'transform', span, isTorch: true },
    );
  }

  /** A picture prepared step by step. */
  byHand(value: ObjectValue, picture: Picture): DataPipeline | undefined {
    if (value.origin.file !== this.file) return undefined;
    const transform = this.world.behind.get(value);
    if (transform && this.claimed.has(transform)) return undefined;
    const { scale, mean } = picture.preprocessing;
    const says = (scale !== undefined || mean !== undefined) && picture.steps > 1;
    if (!says && !picture.source) return undefined;
    const first = Object.values(picture.evidence).sort((one, other) => one[0] - other[0])[0];
    const span = transform?.origin.span ?? picture.source?.span ?? first ?? value.origin.span;
    const facts = {
      picture,
      sources: picture.source ? [picture.source] : [],
      ...(transform && { transform }),
    };
    return this.pipeline(facts, { kind: transform ? 'transform' : 'by-hand', span, isTorch: true });
  }

  private pipeline(
    { picture, transform, sources }: Facts,
    rest: Pick<DataPipeline, 'kind' | 'span' | 'loader' | 'batchSize' | 'isTorch'>,
  ): DataPipeline {
    if (transform) this.claimed.add(transform);
    const { preprocessing, evidence, doubts } = picture;
    return {
      role: picture.isRandom ? 'training' : 'unknown',
      ...rest,
      ...(transform && {
        transform: this.part(transform),
        library: transformLibrary(transform.type) ?? 'torchvision',
      }),
      sources,
      preprocessing,
      // Steps in another file have no place in this one.
      evidence: transform && transform.origin.file !== this.file ? {} : evidence,
      doubts,
    };
  }

  private part(value: ObjectValue): PipelinePart {
    const name = this.names.get(value);
    const { span, file } = value.origin;
    return { span, ...this.elsewhere(file), ...(name !== undefined && { name }) };
  }

  private source({ span, file }: Place): { readonly span: Span; readonly file?: string } {
    return { span, ...this.elsewhere(file) };
  }

  private elsewhere(file: string): { readonly file?: string } {
    return file === this.file ? {} : { file };
  }

  private directory({ args, attributes, origin }: ObjectValue): Facts {
    const item = attributes.get('item');
    if (item) this.world.consume(item);
    const path = given(args, 'directory', 0);
    const text = pathTextIn(path);
    const picture = this.world.pictureOf(item) ?? freshPicture();
    const sources = text === undefined ? [] : [{ path: text, ...this.source(origin) }];
    return {
      picture: text === undefined ? withDoubt(picture, 'unknown-source', 'directory', origin.span) : picture,
      sources,
    };
  }

  /** What a data set of PyTorch yields. */
  private dataSet(value: PythonValue | undefined, depth: number): Facts {
    const picture = this.world.pictureOf(value);
    if (picture && value) {
      this.world.consume(value);
      return { picture, sources: picture.source ? [picture.source] : [] };
    }
    if (value?.kind === 'list' && value.items[0] && depth < 4) return this.dataSet(value.items[0], depth + 1);
    if (value?.kind !== 'object' || depth > 4) return unknownData(value);
    if (value.class) return this.ownData(value, value.class);
    const library = torchvisionData.exec(value.type)?.[2];
    if (library !== undefined) return this.torchvisionData(value, library);
    if (/\.(Subset|ConcatDataset|TensorDataset|ChainDataset)$/.test(value.type))
      return this.dataSet(
        value.args.positional[0] ?? given(value.args, 'dataset') ?? given(value.args, 'datasets'),
        depth + 1,
      );
    return unknownData(value);
  }

  private torchvisionData(value: ObjectValue, name: string): Facts {
    const { args, origin } = value;
    const set = value.attributes.get('transform');
    const transform = set ?? given(args, 'transform') ?? args.positional.find(isTransform);
    const start = freshPicture({}, origin.span);
    const picture = transform
      ? transformed(this.world, transform, start, origin.span)
      : withDoubt(start, 'unknown-step', `${name}(transform)`, origin.span);
    const root = pathTextIn(given(args, 'root', 0));
    const facts = transform?.kind === 'object' && isWholeTransform(transform) ? { transform } : {};
    if (!/^(ImageFolder|DatasetFolder|ImageNet)$/.test(name))
      return { picture: withDoubt(picture, 'no-pictures', name, origin.span), sources: [], ...facts };
    if (root === undefined)
      return {
        picture: withDoubt(picture, 'unknown-source', `${name}(root)`, origin.span),
        sources: [],
        ...facts,
      };
    const split = name === 'ImageNet' ? (pathTextIn(given(args, 'split', 1)) ?? 'train') : undefined;
    const path = split === undefined ? root : `${root.replace(/\/$/, '')}/${split}`;
    return { picture, sources: [{ path, ...this.source(origin) }], ...facts };
  }

  /** A data set of the program: what `__getitem__` returns, else the transform it holds. */
  private ownData(value: ObjectValue, owner: ClassValue): Facts {
    const { span } = value.origin;
    const method = methodOf(this.interpreter, owner, '__getitem__');
    const item =
      method &&
      this.interpreter.nested(
        { ...method.function, self: value },
        { ...noArguments, positional: [unknownValue] },
      );
    const found = item && this.pictureIn(item, 0);
    const held = [...value.attributes.values(), ...value.args.positional, ...value.args.keywords.values()];
    const transform =
      (found && this.world.behind.get(found)) ??
      held.find((one): one is ObjectValue => isWholeTransform(one));
    const sources = uniquePaths(held).map((path) => ({ path, ...this.source(value.origin) }));
    const facts = { sources, ...(transform && { transform }) };
    const picture = this.world.pictureOf(found);
    if (found) this.world.consume(found);
    if (picture) return { picture: withSource(picture, sources, owner, span), ...facts };
    if (transform)
      return {
        picture: withSource(transformed(this.world, transform, freshPicture(), span), sources, owner, span),
        ...facts,
      };
    return { picture: withDoubt(freshPicture(), 'unknown-step', owner.statement.name, span), ...facts };
  }

  private pictureIn(value: PythonValue, depth: number): PythonValue | undefined {
    if (this.world.pictureOf(value)) return value;
    if (depth > 2) return undefined;
    const items =
      value.kind === 'list' ? value.items : value.kind === 'dict' ? [...value.entries.values()] : [];
    for (const item of items) {
      const found = this.pictureIn(item, depth + 1);
      if (found) return found;
    }
    return undefined;
  }
}

/** Names of the `from` imports at the top of a script. */
function importedNames({ module }: Program): ReadonlyMap<string, Span> {
  return new Map(
    module.statements.flatMap((one) =>
      one.kind === 'from-import'
        ? one.names.map(({ name, alias, span }) => [alias ?? name, span] as const)
        : [],
    ),
  );
}

interface Facts {
  readonly picture: Picture;
  readonly transform?: ObjectValue;
  readonly sources: DataPipeline['sources'];
}

function unknownData(value: PythonValue | undefined): Facts {
  const span: Span = value?.kind === 'object' ? value.origin.span : [0, 0];
  const name = value?.kind === 'object' ? value.type : 'dataset';
  return { picture: withDoubt(freshPicture(), 'unknown-step', name, span), sources: [] };
}

function withSource(
  picture: Picture,
  sources: Facts['sources'],
  { statement }: ClassValue,
  span: Span,
): Picture {
  return sources.length > 0 ? picture : withDoubt(picture, 'unknown-source', statement.name, span);
}

/** Texts that can be paths of data. */
function uniquePaths(values: readonly PythonValue[]): readonly string[] {
  const texts = values
    .flatMap((value) => pathTextIn(value) ?? [])
    .filter((text) => text !== '' && !/^\.\w+$|\n/.test(text));
  return [...new Set(texts)].slice(0, 8);
}

function hasBatchSize(args: Arguments): boolean {
  return (
    args.keywords.has('batch_size') ||
    args.keywords.has('**') ||
    args.positional.length > 1 ||
    args.keywords.has('batch_sampler')
  );
}
