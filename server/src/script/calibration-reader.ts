/**
 * A `CalibrationDataReader` of onnxruntime for one script: it feeds `quantize_static` with what the script's own loader
 * or transform gives, in the batches that the model takes, without labels. Edits of the text, imports merged.
 * Interface: onnxruntime/quantization/calibrate.py (`get_next` ends with None; `rewind` starts again).
 */

import { canonicalPath } from './catalog';
import type { DataPipeline, PipelinePart } from './data-pipeline';
import { importEdits, importedAs, type NeededImport, type OffsetEdit } from './edit-imports';
import { pathOf } from './names';
import type { ParsedScript } from './parser';
import { argumentValue, type Call, type Program } from './program';
import type { Span, Statement } from './syntax';
import { stringOf } from './values';

/** The input of the model that the reader feeds. */
export interface ReaderInput {
  readonly name: string;
  /** First dimension where it is fixed. */
  readonly batch?: number;
  /** True when samples can be fed in batches of any size. */
  readonly anyBatch: boolean;
  /** NumPy's name of the type: `float32`; missing where only the loader knows it. */
  readonly type?: string;
  /** Further inputs, which a batch holds under their names or in this order. */
  readonly others?: readonly string[];
}

export interface ReaderScript {
  readonly parsed: Pick<ParsedScript, 'text' | 'module'>;
  readonly program: Program;
}

/** Samples a reader gives unless told otherwise. */
const SAMPLES = 128;

/** True when the script has a reader of its own. */
export function hasReader({ program }: ReaderScript): boolean {
  return program.classes.some(({ statement, scope }) =>
    statement.bases.some(({ value }) => {
      const path = pathOf(value, scope.parent ?? scope);
      const name = value.kind === 'name' ? value.name : value.kind === 'attribute' ? value.attribute : '';
      return (path ?? name).endsWith('CalibrationDataReader');
    }),
  );
}

/**
 * Edits that add the reader; undefined where none can be written: random data, nothing to read from, a reader is there.
 * @param input of the model; without one its name has to be given.
 */
export function readerEdits(
  script: ReaderScript,
  pipeline: DataPipeline,
  input: ReaderInput | undefined,
): readonly OffsetEdit[] | undefined {
  const { parsed, program } = script;
  if (!parsed.module.complete || hasReader(script) || pipeline.doubts.some(({ kind }) => kind === 'random'))
    return undefined;
  const source = sourceOf(pipeline);
  if (!source) return undefined;
  const place = placeOf(parsed, source.span);
  if (!place) return undefined;
  const isReachable = place.isBehind && source.name !== undefined;
  if (source.kind === 'transform' && !isReachable) return undefined;
  if (source.kind === 'transform' && (input?.batch ?? 1) !== 1) return undefined;
  return written(script, place, {
    kind: source.kind,
    source: isReachable ? source.name : undefined,
    input: input ?? exportedInput(program),
    processor: source.processor,
    isTorch: pipeline.isTorch,
    from: source.file?.split('/').at(-1),
  });
}

/**
 * Edits that add a reader which is given its loader, in front of the definition or statement around an offset;
 * undefined where a reader is there.
 */
export function loaderReaderEdits(
  script: ReaderScript,
  offset: number,
  { input, isTorch }: { readonly input: ReaderInput | undefined; readonly isTorch: boolean },
): readonly OffsetEdit[] | undefined {
  const { parsed } = script;
  if (!parsed.module.complete || hasReader(script)) return undefined;
  const around = parsed.module.statements.find(
    ({ span: [start, end] }) => start < offset && offset <= end + 1,
  );
  const before = parsed.module.statements.findLast(({ span }) => span[0] < offset);
  const host = around ?? before;
  if (!host) return undefined;
  return written(
    script,
    { at: startOf(parsed.text, host), isBehind: false },
    // The name of the input comes with the use where it is not known here.
    { kind: 'loader', source: undefined, input: input ?? asked, processor: 'call', isTorch, from: undefined },
  );
}

const asked: ReaderInput = { name: '', anyBatch: false };

type Wanted = Pick<Parts, 'source' | 'input' | 'processor' | 'isTorch' | 'from'> & Pick<Source, 'kind'>;

/** Edits with the class and its imports; undefined where a name that it needs means something else. */
function written(
  { parsed, program }: ReaderScript,
  place: Placing,
  { kind, ...wanted }: Wanted,
): readonly OffsetEdit[] | undefined {
  const known = (name: string) => program.scope.names.has(name);
  const free = (name: string): string => (known(name) ? free(`${name}_`) : name);
  const parts: Parts = {
    ...wanted,
    className: free('CalibrationReader'),
    base: importedAs(parsed, quantization, 'CalibrationDataReader', place.at) ?? 'CalibrationDataReader',
    numpy: importedAs(parsed, 'numpy', undefined, place.at) ?? 'np',
  };
  if (
    parts.base === 'CalibrationDataReader' &&
    known('CalibrationDataReader') &&
    !importedAs(parsed, quantization, 'CalibrationDataReader')
  )
    return undefined;
  const lines = kind === 'loader' ? loaderReader(parts) : pictureReader(parts);
  const imports = importEdits(parsed, neededFor(parts, kind).map(asImported(parsed, place.at)), place.at);
  return withClass(imports, { ...place, lines }, parsed.text);
}

function neededFor({ numpy, base }: Parts, kind: Source['kind']): readonly NeededImport[] {
  const alias = base === 'CalibrationDataReader' ? {} : { as: base };
  return [
    { module: 'numpy', as: numpy },
    { module: quantization, names: [{ name: 'CalibrationDataReader', ...alias }] },
    ...(kind === 'transform'
      ? [
          { module: 'pathlib', names: [{ name: 'Path' }] },
          { module: 'PIL', names: [{ name: 'Image' }] },
        ]
      : []),
  ];
}

const quantization = 'onnxruntime.quantization';

/** `import numpy` as it stands is enough. */
function asImported(parsed: ReaderScript['parsed'], before: number): (needed: NeededImport) => NeededImport {
  return (needed) => {
    const local = needed.names ? undefined : importedAs(parsed, needed.module, undefined, before);
    return local === needed.module ? { module: needed.module } : needed;
  };
}

interface Source {
  readonly kind: 'loader' | 'transform';
  readonly span: Span;
  readonly name: string | undefined;
  /** The other file that makes it. */
  readonly file?: string;
  /** How a transform takes a picture. */
  readonly processor: 'call' | 'keyword' | 'processor';
}

function sourceOf({ kind, span, loader, transform, library }: DataPipeline): Source | undefined {
  // What another file makes comes in where this one asks for it.
  const placed = ({ file, ...part }: PipelinePart) => (file === undefined ? part : { ...part, file, span });
  if (loader) return { kind: 'loader', processor: 'call', name: loader.name, ...placed(loader) };
  if (kind !== 'transform' || !transform) return undefined;
  const processor =
    library === 'albumentations' ? 'keyword' : library === 'transformers' ? 'processor' : 'call';
  return { kind: 'transform', processor, name: transform.name, ...placed(transform) };
}

interface Placing {
  readonly at: number;
  /** Behind the statement that makes the source, so that its name is known there. */
  readonly isBehind: boolean;
}

/** Behind the statement of the module that makes the source; in front of a function or class around it. */
function placeOf({ text, module }: ReaderScript['parsed'], span: Span): Placing | undefined {
  const around = module.statements.find((one) => one.span[0] <= span[0] && span[1] <= one.span[1]);
  if (!around) return undefined;
  if (isPlain(around)) {
    const newline = text.indexOf('\n', around.span[1]);
    const at = newline < 0 ? text.length : newline + 1;
    const shared = module.statements.some(
      (one) => one !== around && one.span[0] < at && one.span[1] > around.span[1],
    );
    return shared ? undefined : { at, isBehind: true };
  }
  return { at: startOf(text, around), isBehind: false };
}

function isPlain({ kind }: Statement): boolean {
  return kind === 'assign' || kind === 'expression' || kind === 'from-import';
}

/** Start of a definition with its decorators and the comments above it. */
function startOf(text: string, { span }: Statement): number {
  let at = text.lastIndexOf('\n', span[0] - 1) + 1;
  for (;;) {
    const above = text.lastIndexOf('\n', at - 2) + 1;
    if (at === 0 || !/^\s*[#@]/.test(text.slice(above, at))) return at;
    at = above;
  }
}

interface Parts {
  readonly className: string;
  readonly base: string;
  readonly numpy: string;
  /** Expression for the loader or transform, where code of the class can use it. */
  readonly source: string | undefined;
  readonly input: ReaderInput | undefined;
  readonly processor: Source['processor'];
  readonly isTorch: boolean;
  /** Name of the other file that makes the source. */
  readonly from: string | undefined;
}

/** Names in `torch.onnx.export(…, input_names=['input'])`. */
function exportedInput({ calls }: Program): ReaderInput | undefined {
  for (const call of calls) {
    if (call.path === undefined || canonicalPath(call.path) !== 'torch.onnx.export') continue;
    const input = namedInputs(call);
    if (input) return input;
  }
  return undefined;
}

/** The inputs that an export call names. */
export function namedInputs(call: Pick<Call, 'expression' | 'scope'>): ReaderInput | undefined {
  const names = argumentValue(call, 'input_names');
  const texts = names?.kind === 'list' ? names.items.map(stringOf) : [];
  const [name, ...others] = texts.flatMap((one) => one ?? []);
  if (name === undefined || others.length !== texts.length - 1) return undefined;
  return { name, anyBatch: false, ...(others.length > 0 && { others }) };
}

function loaderReader(parts: Parts): readonly string[] {
  const { source, input, from } = parts;
  const origin = source === undefined ? 'a DataLoader' : from === undefined ? source : `${source} (${from})`;
  return [
    ...head(
      parts,
      `Feeds quantize_static with the inputs of ${origin}, without labels.`,
      source === undefined ? 'loader' : `loader=${source}`,
    ),
    '        self.loader = loader',
    ...common(input),
    '        left = self.samples',
    '        for batch in self.loader:',
    ...(input?.others ? severalInputs(parts) : onlyInput(parts)),
    '            if left <= 0:',
    '                return',
  ];
}

/** Steps through a batch: of the size that the model takes. */
function slices({ batch = 1 }: Partial<ReaderInput>, count: string): string {
  return batch === 1
    ? `            for start in range(${count}):`
    : `            for start in range(0, ${count} - ${batch - 1}, ${batch}):`;
}

function onlyInput({ numpy, input, isTorch }: Parts): readonly string[] {
  const { batch = 1, type } = input ?? {};
  const read = isTorch ? 'inputs.detach().cpu()' : 'inputs';
  const array =
    type === undefined && isTorch
      ? [
          `            inputs = ${read}`,
          `            inputs = ${numpy}.asarray(inputs.float() if inputs.is_floating_point() else inputs)[:left]`,
        ]
      : [`            inputs = ${numpy}.asarray(${read}, dtype=${numpy}.${type ?? 'float32'})[:left]`];
  return [
    '            inputs = next(iter(batch.values())) if hasattr(batch, "keys") else batch',
    '            inputs = inputs[0] if isinstance(inputs, (list, tuple)) else inputs',
    ...array,
    ...(input?.anyBatch
      ? ['            yield {self.input_name: inputs}']
      : [
          slices(input ?? {}, 'len(inputs)'),
          `                yield {self.input_name: inputs[start : start + ${batch}]}`,
        ]),
    '            left -= len(inputs)',
  ];
}

/** Inputs by their names, also where the batch is a tuple in their order. */
function severalInputs({ numpy, input, isTorch }: Parts): readonly string[] {
  const { batch = 1 } = input ?? {};
  const read = isTorch ? 'batch[name].detach().cpu()' : 'batch[name]';
  return [
    '            batch = batch if hasattr(batch, "keys") else dict(zip(self.input_names, batch))',
    `            inputs = {name: ${numpy}.asarray(${read})[:left] for name in self.input_names}`,
    '            count = len(inputs[self.input_names[0]])',
    slices(input ?? {}, 'count'),
    `                yield {name: values[start : start + ${batch}] for name, values in inputs.items()}`,
    '            left -= count',
  ];
}

function pictureReader(parts: Parts): readonly string[] {
  const { source = '', numpy, input, processor } = parts;
  const prepared = {
    call: `${source}(picture)`,
    keyword: `${source}(image=${numpy}.asarray(picture))["image"]`,
    processor: `${source}(images=picture, return_tensors="np")["pixel_values"][0]`,
  }[processor];
  return [
    ...head(parts, `Feeds quantize_static with the pictures in a folder, prepared by ${source}.`, 'folder'),
    '        self.folder = folder',
    ...common(undefined),
    '        endings = (".jpg", ".jpeg", ".png")',
    '        paths = sorted(path for path in Path(self.folder).rglob("*") if path.suffix.lower() in endings)',
    '        for path in paths[: self.samples]:',
    '            picture = Image.open(path).convert("RGB")',
    `            inputs = ${numpy}.asarray(${prepared}, dtype=${numpy}.${input?.type ?? 'float32'})`,
    `            yield {self.input_name: inputs[${numpy}.newaxis]}`,
  ];
}

function head({ className, base, input }: Parts, purpose: string, parameter: string): readonly string[] {
  return [
    `class ${className}(${base}):`,
    ...(input && input !== asked ? [`    """${purpose}"""`] : [`    """${purpose}`, '', ...whose, '    """']),
    '',
    `    def __init__(self, ${parameters(parameter, input)}, samples=${SAMPLES}):`,
  ];
}

const whose = ['    input_name: InferenceSession(path).get_inputs()[0].name of onnxruntime gives it.'];

/** What has no default stands first: a name that only the file knows is never guessed. */
function parameters(source: string, input: ReaderInput | undefined): string {
  if (!input) return `input_name, ${source}`;
  const { name, others } = input;
  if (others)
    return `${source}, input_names=(${[name, ...others].map((one) => JSON.stringify(one)).join(', ')})`;
  return input === asked ? `${source}, input_name` : `${source}, input_name=${JSON.stringify(name)}`;
}

function common(input: ReaderInput | undefined): readonly string[] {
  const names = input?.others ? 'input_names' : 'input_name';
  return [
    `        self.${names} = ${names}`,
    '        self.samples = samples',
    '        self.rewind()',
    '',
    '    def get_next(self):',
    '        return next(self.feeds, None)',
    '',
    '    def rewind(self):',
    '        self.feeds = self.read()',
    '',
    '    def read(self):',
  ];
}

/** The class as an edit beside those of the imports, two blank lines around it. */
function withClass(
  imports: readonly OffsetEdit[],
  { at, isBehind, lines }: Placing & { readonly lines: readonly string[] },
  text: string,
): readonly OffsetEdit[] {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const opensLine = at === 0 || text[at - 1] === '\n';
  const written = lines.join('\n').replaceAll('\n', lineBreak);
  const blank = /^(?:[ \t]*\r?\n)*/.exec(text.slice(at))?.[0].split('\n').length ?? 1;
  const isLast = at >= text.length;
  const after = isBehind ? lineBreak.repeat(isLast ? 0 : Math.max(0, 3 - blank)) : lineBreak.repeat(2);
  const before = lineBreak.repeat(!isBehind || at === 0 ? (isBehind ? 2 : 0) : opensLine ? 2 : 3);
  const body = `${before}${written}${lineBreak}${after}`;
  const here = imports.find((one) => one.start === at && one.end === at);
  const rest = imports.filter((one) => one !== here);
  return [...rest, { start: at, end: at, text: `${here?.text ?? ''}${body}` }].sort(
    (one, other) => one.start - other.start,
  );
}
