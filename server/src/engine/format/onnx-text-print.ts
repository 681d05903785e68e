/**
 * Prints a model in the ONNX textual syntax. The form is that of `onnx.printer` 1.23, except: one initializer per
 * line; long tensors stay where they are and are named by an external data reference with a comment instead of
 * being printed or replaced by `...`; narrow element types are unpacked; function attribute defaults, types and doc
 * strings are kept. Doc strings, metadata and denotations below the model have no place in the language.
 */
import { dataTypeByCode, elementCount } from '../base/dtype';
import type { ExternalFiles } from './onnx-external';
import { formatElements, formatFloat32 } from './onnx-text-literals';
import {
  counted,
  decodeText,
  dotted,
  elements,
  functionHeader,
  grouped,
  isText,
  modelHeader,
  oneLine,
  printDims,
  printType,
  size,
} from './onnx-text-pieces';
import {
  attributeWordByCode,
  attributeWordByKind,
  elementTypeWord,
  identifier,
  quote,
  unambiguousIdentifier,
} from './onnx-text-words';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  Payload,
  TensorProto,
  ValueInfoProto,
} from './onnx-types';
import { readTensor } from './tensor-data';

export interface PrintOptions {
  /** Prints all elements of all tensors and attributes. */
  readonly full?: boolean;
  /**
   * Tensors of up to this many elements are printed anyway, and up to 1 KiB what is held in memory: nothing could
   * be referred to instead. Default 16.
   */
  readonly inlineLimit?: number;
  /** File name that references to elided tensors carry. Default: the name of the file they are in. */
  readonly location?: string;
  /** Resolves external data for `full`; without it such tensors stay references. */
  readonly external?: ExternalFiles;
}

/** Where a node was printed; graphs are counted in the order of their appearance, functions included. */
export interface PrintedNode {
  readonly graph: number;
  readonly node: number;
  /** Character offsets [start, end), without indentation and comment. */
  readonly start: number;
  readonly end: number;
  /** Zero-based line of `start`. */
  readonly line: number;
}

export interface PrintedModel {
  readonly text: string;
  /** Ordered by start; a node with a subgraph stands before the nodes in it. */
  readonly nodes: readonly PrintedNode[];
  /** Tensors that stand as references. */
  readonly elided: number;
  /** Attribute values that are elided, and parts that the language cannot hold; each has a comment beside it. */
  readonly omitted: number;
}

const defaultInlineLimit = 16;
/** The decoder holds raw data of up to this many bytes in memory; a reference to it would lead nowhere. */
const memoryLimit = 1024;
/**
 * Longer attribute lists and strings are elided unless `full` is asked for: by a reference to an attribute that does
 * not exist, so that nobody can take the text for the model.
 */
const listLimit = 16_384;
const stringLimit = 65_536;
/** Characters of an elided value that its comment shows. */
const previewLength = 60;
/** Below the longest string of the engine (2^29 − 24) with room for the rest. */
const textLimit = 1 << 28;
/** Same limit as the parser's. */
const maximumGraphDepth = 100;

/** Prints a model. Reads the small tensors (with `full`: all) from their sources; never throws for a model's content. */
export function printModel(model: ModelProto, options: PrintOptions = {}): PrintedModel {
  return new Printer(options).print(model);
}

class Printer {
  private text = '';
  private readonly nodes: { graph: number; node: number; start: number; end: number; line: number }[] = [];
  private graphs = 0;
  private depth = 0;
  private elided = 0;
  private omitted = 0;
  /** Comments for the end of the current line. */
  private comments: string[] = [];
  private readonly inlineLimit: number;

  constructor(private readonly options: PrintOptions) {
    this.inlineLimit = options.inlineLimit ?? defaultInlineLimit;
  }

  print(model: ModelProto): PrintedModel {
    this.header(modelHeader(model), '   ');
    if (model.graph === undefined) this.comments.push('no graph');
    else this.graph(model.graph, identifier(model.graph.name));
    this.newline();
    for (const one of model.functions) this.function(one);
    return {
      text: this.text,
      nodes: withLines(this.text, this.nodes),
      elided: this.elided,
      omitted: this.omitted,
    };
  }

  private write(text: string): void {
    this.text += text;
  }

  /** Ends the line with its comments. */
  private newline(indent = ''): void {
    if (this.comments.length > 0) {
      this.text += ` # ${this.comments.join('; ')}`;
      this.comments = [];
    }
    this.text += `\n${indent}`;
  }

  private get indent(): string {
    return '   '.repeat(this.depth);
  }

  private omit(comment: string): void {
    this.omitted++;
    this.comments.push(oneLine(comment));
  }

  private header(entries: readonly (readonly [string, string])[], indent: string): void {
    this.write('<\n');
    this.write(entries.map(([key, value]) => `${indent}${key}: ${value}`).join(',\n'));
    this.write('\n>\n');
  }

  // --- graphs ---------------------------------------------------------------------------------------------

  private graph(graph: GraphProto, name: string): void {
    const index = this.graphs++;
    this.write(`${name} (${this.values(graph.inputs)}) => (${this.values(graph.outputs)})`);
    const sparse = graph.sparseInitializers ?? [];
    if (graph.initializers.length + graph.valueInfo.length + sparse.length > 0) {
      const inner = `${this.indent}      `;
      this.newline(`${this.indent}   <`);
      graph.initializers.forEach((tensor, position) => {
        const last = position === graph.initializers.length - 1 && graph.valueInfo.length === 0;
        this.newline(inner);
        this.initializer(tensor, last);
      });
      graph.valueInfo.forEach((info, position) => {
        this.newline(inner);
        this.write(this.value(info) + (position === graph.valueInfo.length - 1 ? '' : ','));
      });
      for (const tensor of sparse) {
        this.newline(inner);
        this.omit(
          `sparse initializer ${tensor.values?.name ?? ''} [${tensor.dims.join(',')}]: not part of the language`,
        );
      }
      this.newline(`${this.indent}   >`);
      this.newline(this.indent);
    } else this.write(' ');
    this.body(graph.nodes, index);
  }

  private body(nodes: readonly NodeProto[], graph: number): void {
    this.write('{');
    if (this.depth >= maximumGraphDepth) {
      if (nodes.length > 0) this.omit(`${nodes.length} nodes nested deeper than ${maximumGraphDepth} graphs`);
      this.newline(this.indent);
    } else {
      this.depth++;
      nodes.forEach((node, index) => {
        this.newline(this.indent);
        this.node(node, graph, index);
      });
      this.depth--;
      this.newline(this.indent);
    }
    this.write('}');
  }

  private initializer(tensor: TensorProto, last: boolean): void {
    const type = elementTypeWord(tensor.dataType);
    if (type === undefined) {
      this.omit(`initializer ${tensor.name}: element type ${tensor.dataType} is not known`);
      // A list may not end in a comma: an untyped value takes the place.
      this.write(unambiguousIdentifier(tensor.name));
    } else {
      this.write(
        `${type}${printDims(tensor.dims)} ${identifier(tensor.name)} = ${this.tensorData(tensor, '')}`,
      );
    }
    if (!last) this.write(',');
  }

  private values(infos: readonly ValueInfoProto[]): string {
    return infos.map((info) => this.value(info)).join(', ');
  }

  private value(info: ValueInfoProto): string {
    if (info.type === undefined || info.type.kind === 'unknown') return unambiguousIdentifier(info.name);
    const type = printType(info.type);
    if (type !== undefined) return `${type} ${identifier(info.name)}`;
    this.omit(`${info.name}: type is not known`);
    return unambiguousIdentifier(info.name);
  }

  private function(one: FunctionProto): void {
    const index = this.graphs++;
    this.header(functionHeader(one), '  ');
    this.write(`${identifier(one.name)} `);
    if (one.attributes.length > 0) this.write(`<${one.attributes.map(identifier).join(', ')}`);
    this.attributes(one.attributeProtos, one.attributes.length > 0 ? ', ' : '<');
    const infos = new Map((one.valueInfo ?? []).map((info) => [info.name, info]));
    const list = (names: readonly string[]) =>
      names.map((name) => this.value(infos.get(name) ?? { name })).join(', ');
    this.write(`(${list(one.inputs)}) => (${list(one.outputs)})`);
    const placed = new Set([...one.inputs, ...one.outputs]);
    const further = (one.valueInfo ?? []).filter((info) => !placed.has(info.name));
    if (further.length > 0) {
      this.newline('   <');
      this.write(`${this.values(further)}>`);
    }
    this.newline();
    this.body(one.nodes, index);
    this.newline();
  }

  // --- nodes ----------------------------------------------------------------------------------------------

  private node(node: NodeProto, graph: number, index: number): void {
    const place = { graph, node: index, start: this.text.length, end: 0, line: 0 };
    this.nodes.push(place);
    const name = node.name === '' ? '' : `[${identifier(node.name)}] `;
    const domain = node.domain === '' ? '' : `${dotted(node.domain)}.`;
    const overload = node.overload ? `:${identifier(node.overload)}` : '';
    const outputs = node.outputs.map((output) => identifier(output)).join(', ');
    this.write(`${name}${outputs}${outputs === '' ? '' : ' '}= `);
    this.write(`${domain}${identifier(node.opType)}${overload}`);
    const inputs = ` (${node.inputs.map(identifier).join(', ')})`;
    // As in the reference, subgraphs stand behind the inputs, where they are easier to read.
    const holdsGraph = node.attributes.some(({ value }) => value.type === 'graph' || value.type === 'graphs');
    if (holdsGraph) this.write(inputs);
    this.attributes(node.attributes, ' <');
    if (!holdsGraph) this.write(inputs);
    place.end = this.text.length;
  }

  /** A list that is opened by `open`, or continued when that is a comma, and closed if anything stands in it. */
  private attributes(attributes: readonly AttributeProto[], open: ' <' | '<' | ', '): void {
    let separator: string = open;
    for (const attribute of attributes) {
      const { value } = attribute;
      if (value.type === 'graph' || value.type === 'graphs') {
        this.write(`${separator}${identifier(attribute.name)}: ${value.type} = `);
        if (value.type === 'graph') this.graph(value.value, unambiguousIdentifier(value.value.name));
        else this.graphList(value.value);
      } else {
        this.write(separator + this.attributeText(attribute));
      }
      separator = ', ';
    }
    if (separator === ', ') this.write('>');
  }

  private graphList(graphs: readonly GraphProto[]): void {
    this.write('[');
    graphs.forEach((graph, index) => {
      if (index > 0) this.write(', ');
      this.graph(graph, unambiguousIdentifier(graph.name));
    });
    this.write(']');
  }

  /** `name: type = value`. Not for graphs. */
  private attributeText({ name, value }: AttributeProto): string {
    if (value.type === 'reference') {
      const word = attributeWordByCode(value.attributeType);
      return `${identifier(name)}${word ? `: ${word}` : ''} = @${identifier(value.value)}`;
    }
    const word = attributeWordByKind(value.type);
    const text = this.attributeValue(name, value) ?? this.elide(name, 'not part of the language', '');
    return `${identifier(name)}${word ? `: ${word}` : ''} = ${text}`;
  }

  /** `undefined` for what has no form in the language: sparse tensors, types and element types of unknown kind. */
  private attributeValue(name: string, value: AttributeProto['value']): string | undefined {
    switch (value.type) {
      case 'float':
        return formatFloat32(value.value);
      case 'int':
        return value.value.toString();
      case 'string':
        return this.string(name, value.value);
      case 'tensor':
        return this.tensor(name, value.value);
      case 'type':
        return printType(value.value);
      case 'floats':
        return this.list(name, value.value, formatFloat32);
      case 'ints':
        return this.list(name, value.value, String);
      case 'strings':
        return this.strings(name, value.value);
      case 'tensors':
        return this.list(name, value.value, (item) => this.tensor(name, item));
      case 'types':
        return this.list(name, value.value, (item) => printType(item));
      default:
        return undefined;
    }
  }

  private list<T>(
    name: string,
    items: readonly T[],
    print: (item: T) => string | undefined,
  ): string | undefined {
    if (!this.options.full && items.length > listLimit) {
      const first = items[0];
      const isNumber = typeof first === 'number' || typeof first === 'bigint';
      return this.elide(
        name,
        `${grouped(items.length)} values`,
        isNumber ? items.slice(0, 16).join(', ') : '',
      );
    }
    const texts = items.map(print);
    return texts.includes(undefined) ? undefined : `[${texts.join(', ')}]`;
  }

  private strings(name: string, items: readonly Uint8Array[]): string | undefined {
    const length = items.reduce((sum, item) => sum + item.length, 0);
    const count = `${grouped(items.length)} strings, ${size(length)}`;
    if (!this.options.full && length > stringLimit) return this.elide(name, count, '');
    if (!items.every(isText)) return this.elide(name, `${count}, not UTF-8`, '');
    return this.list(name, items, (item) => quote(decodeText(item)));
  }

  private string(name: string, bytes: Uint8Array): string {
    if (!isText(bytes)) return this.elide(name, `${size(bytes.length)}, not UTF-8`, '');
    if (this.options.full || bytes.length <= stringLimit) return quote(decodeText(bytes));
    return this.elide(name, size(bytes.length), decodeText(bytes.subarray(0, previewLength)));
  }

  private elide(name: string, what: string, preview: string): string {
    const shown = preview.length > previewLength ? preview.slice(0, previewLength) : preview;
    this.omit(shown === '' ? `${name}: ${what}` : `${name}: ${what}: ${shown}…`);
    return `@${quote(`elided: ${what}`)}`;
  }

  // --- tensors --------------------------------------------------------------------------------------------

  private tensor(attribute: string, tensor: TensorProto): string | undefined {
    const type = elementTypeWord(tensor.dataType);
    if (type === undefined) return undefined;
    const name = tensor.name === '' ? '' : ` ${identifier(tensor.name)}`;
    const data = this.tensorData(tensor, `${attribute}: `);
    // A bracket right behind the type would be read as its shape.
    return `${type}${printDims(tensor.dims)}${name}${data.startsWith('[') ? ' = ' : ' '}${data}`;
  }

  /** Elements in braces, or a reference in brackets with a comment on the line. */
  private tensorData(tensor: TensorProto, label: string): string {
    const { payload } = tensor;
    const type = dataTypeByCode(tensor.dataType);
    const count = elementCount(tensor.dims);
    if (type === undefined || count === undefined) return this.reference(tensor, `${label}impossible shape`);
    if (payload.kind === 'none') {
      if (count > 0) this.omit(`${label}${elements(type, count)} declared, no data`);
      return '{}';
    }
    const summary = `${label}${elements(type, count)}`;
    const room = this.text.length + count * 8 < textLimit;
    if (!room || !this.isInline(payload, count)) return this.reference(tensor, summary);
    if (payload.kind === 'external' && this.options.external === undefined)
      return this.reference(tensor, summary);
    if (payload.kind === 'strings') return this.stringData(tensor, payload.values, count, summary);
    const { value, issues } = readTensor(tensor, this.options.external);
    if (value !== undefined) return `{${formatElements(value.data)}}`;
    const first = issues[0];
    const reason = first?.code === 'tensor-invalid' ? first.facts.reason : (first?.code ?? 'unreadable');
    return this.reference(tensor, `${summary}, unreadable: ${reason}`);
  }

  /** Small tensors; and larger ones that the model holds in memory, for which there is no reference. */
  private isInline(payload: Payload, count: number): boolean {
    if (this.options.full || count <= this.inlineLimit) return true;
    if (payload.kind === 'bytes') return payload.bytes.length <= memoryLimit;
    return payload.kind === 'typed' && payload.values.byteLength <= memoryLimit;
  }

  private stringData(
    tensor: TensorProto,
    values: readonly Uint8Array[],
    count: number,
    summary: string,
  ): string {
    const length = values.reduce((sum, value) => sum + value.length, 0);
    if (values.length !== count) return this.reference(tensor, `${summary}, ${grouped(values.length)} given`);
    if (!this.options.full && length > stringLimit) return this.reference(tensor, summary);
    if (!values.every(isText)) return this.reference(tensor, `${summary}, not UTF-8`);
    return `{${values.map((value) => quote(decodeText(value))).join(', ')}}`;
  }

  /** External data as the language writes it; for data that is in no file, the number of elements in its place. */
  private reference(tensor: TensorProto, comment: string): string {
    this.elided++;
    this.comments.push(oneLine(comment));
    return `[${referenceEntries(tensor, this.options.location)
      .map(([key, value]) => `${quote(key)}: ${quote(value)}`)
      .join(', ')}]`;
  }
}

function referenceEntries({ payload, dims }: TensorProto, location: string | undefined): [string, string][] {
  if (payload.kind === 'external') {
    if (payload.entries.length > 0) return payload.entries.map(({ key, value }) => [key, value]);
    return [['location', payload.location]];
  }
  if (payload.kind !== 'slice') return [['elided', counted(elementCount(dims) ?? 0)]];
  const { source, offset, length } = payload.slice;
  return [
    ['location', location ?? /[^\\/]*$/.exec(source.path)?.[0] ?? ''],
    ['offset', String(offset)],
    ['length', String(length)],
  ];
}

function withLines<T extends { start: number; line: number }>(
  text: string,
  places: readonly T[],
): readonly T[] {
  let line = 0;
  let next = text.indexOf('\n');
  for (const place of places) {
    while (next >= 0 && next < place.start) {
      line++;
      next = text.indexOf('\n', next + 1);
    }
    place.line = line;
  }
  return places;
}
