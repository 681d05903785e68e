/**
 * Parser of the ONNX textual syntax (onnx/docs/Syntax.md as `onnx.parser` 1.23 implements it). It reads on after an
 * error, at the next node or brace, and gives a span for everything, so that an editor can work on half-written
 * text. Beyond the reference it reads what a file may hold but the reference cannot write: quoted operator,
 * domain, overload, attribute and subgraph names; names of attribute tensors in quotes; lists of tensors, graphs and
 * types, which the reference drops.
 */
import { hasErrors, type Issue } from '../base/issue';
import { AttributeParser } from './onnx-text-attributes';
import {
  functionHeaderKeys,
  modelHeaderKeys,
  type Span,
  type SyntaxAttribute,
  type SyntaxDocument,
  type SyntaxGraph,
  type SyntaxName,
  type SyntaxNode,
  type SyntaxTokenKind,
  type SyntaxValue,
} from './onnx-text-words';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSet,
  StringEntry,
  TensorProto,
  ValueInfoProto,
} from './onnx-types';

/** Subgraphs recurse; a deeper one is skipped with an issue. */
const maximumGraphDepth = 100;

export interface ParsedOnnxText {
  /** The model as far as it could be read; `undefined` when there is no graph. */
  readonly model: ModelProto | undefined;
  readonly document: SyntaxDocument;
  /** `text-syntax` issues with spans. */
  readonly issues: readonly Issue[];
}

/**
 * Reads a model. Never throws; time is linear in the text's length. A model read with errors lacks what could not be
 * read: check `hasErrors(issues)` before it is used for more than showing.
 */
export function parseOnnxText(text: string): ParsedOnnxText {
  const parser = new ModelParser(text);
  const model = parser.model();
  return { model, document: parser.document(), issues: parser.issues };
}

/** True when the text was read without an error. */
export function isCompleteText(parsed: ParsedOnnxText): boolean {
  return parsed.model !== undefined && !hasErrors(parsed.issues);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface HeaderValues {
  numbers: Partial<Record<string, number>>;
  strings: Partial<Record<string, string>>;
  opsets: OperatorSet[];
  entries: StringEntry[];
}

class ModelParser extends AttributeParser {
  private readonly graphs: Mutable<SyntaxGraph>[] = [];
  private readonly nodes: Mutable<SyntaxNode>[] = [];
  private header: Span | undefined;
  private depth = 0;

  protected get nextGraph(): number {
    return this.graphs.length;
  }

  document(): SyntaxDocument {
    return {
      length: this.text.length,
      header: this.header,
      graphs: this.graphs,
      nodes: this.nodes,
      tokens: this.tokens,
      comments: this.lexer.comments,
    };
  }

  model(): ModelProto | undefined {
    const header = this.readHeader(modelHeaderKeys, (span) => {
      this.header = span;
    });
    const graph = this.at('end') ? undefined : this.readGraph(-1);
    if (graph === undefined) this.fail('a graph');
    const functions: FunctionProto[] = [];
    while (graph !== undefined && this.lexer.kind !== 'end') {
      const from = this.lexer.start;
      if (!this.broken && this.startsFunction()) functions.push(this.readFunction(functions.length));
      else this.fail('a function or the end of the file');
      if (this.broken || this.lexer.start === from)
        this.resume(() => this.lexer.startsLine && this.startsFunction(), from);
    }
    if (graph === undefined) return undefined;
    return {
      irVersion: header.numbers.ir_version ?? 0,
      opsetImports: header.opsets,
      producerName: header.strings.producer_name ?? '',
      producerVersion: header.strings.producer_version ?? '',
      domain: header.strings.domain ?? '',
      modelVersion: header.numbers.model_version ?? 0,
      docString: header.strings.doc_string ?? '',
      graph,
      metadataProps: header.entries,
      functions,
    };
  }

  // --- header ---------------------------------------------------------------------------------------------

  private readHeader(keys: readonly string[], place: (span: Span) => void): HeaderValues {
    const values: HeaderValues = { numbers: {}, strings: {}, opsets: [], entries: [] };
    const { start } = this.lexer;
    if (!this.accept('<')) return values;
    do this.headerEntry(keys, values);
    while (this.accept(','));
    this.expect('>');
    if (this.broken) {
      this.resume(
        () => this.lexer.kind === '>' || this.lexer.kind === 'arrow' || this.lexer.kind === '{',
        start,
      );
      this.accept('>');
    }
    place([start, this.lexer.previousEnd]);
    return values;
  }

  private headerEntry(keys: readonly string[], values: HeaderValues): void {
    const key = this.lexer.source;
    if (!this.at('identifier') || !keys.includes(key)) {
      this.fail(`one of ${keys.join(', ')}`);
      return;
    }
    this.mark('keyword', this.span, key);
    this.lexer.next();
    this.expect(':');
    if (key === 'opset_import') values.opsets.push(...this.operatorSets());
    else if (key === 'metadata_props') {
      this.expect('[');
      if (!this.at(']')) values.entries.push(...this.entries());
      this.expect(']');
    } else if (key === 'ir_version' || key === 'model_version') values.numbers[key] = this.smallInteger();
    else values.strings[key] = this.stringLiteral();
  }

  private operatorSets(): OperatorSet[] {
    const sets: OperatorSet[] = [];
    this.expect('[');
    while (!this.broken && !this.at(']')) {
      const domain = this.stringLiteral();
      this.expect(':');
      sets.push({ domain, version: this.smallInteger() });
      if (!this.accept(',')) break;
    }
    this.expect(']');
    return sets;
  }

  // --- graphs ---------------------------------------------------------------------------------------------

  protected readGraph(parent: number, owner?: SyntaxGraph['owner'], named?: SyntaxName): GraphProto {
    const graph = this.openGraph('graph', parent, owner);
    const { name, span } = named ?? this.graphName('graph');
    Object.assign(graph, { name, span, fullSpan: [span[0], span[1]] });
    const initializers: TensorProto[] = [];
    const inputs = this.at('(')
      ? this.values('(', ')', 'definition', graph.inputs, initializers, graph.initializers)
      : [];
    this.resumeAtArrow();
    this.expect('arrow');
    const outputs = this.values('(', ')', 'use', graph.outputs);
    this.resumeAtBody();
    const valueInfo = this.at('<')
      ? this.values('<', '>', 'annotation', graph.valueInfo, initializers, graph.initializers)
      : [];
    this.resumeAtBody();
    const nodes = this.body(graph);
    return { name, inputs, outputs, valueInfo, initializers, nodes };
  }

  private graphName(kind: 'graph' | 'function'): SyntaxName {
    return this.name(kind, `a ${kind} name`);
  }

  /** Reserves the place in the document, so that a graph stands before those inside it. */
  private openGraph(
    kind: SyntaxGraph['kind'],
    parent: number,
    owner?: SyntaxGraph['owner'],
  ): Mutable<SyntaxGraph> & OpenLists {
    const here: Span = [this.lexer.start, this.lexer.start];
    const graph = {
      kind,
      name: '',
      span: here,
      fullSpan: here,
      bodySpan: here,
      inputs: [],
      outputs: [],
      initializers: [],
      valueInfo: [],
      parent,
      ...(owner === undefined ? {} : { owner }),
    };
    this.graph = this.graphs.length;
    this.graphs.push(graph);
    return graph;
  }

  /**
   * A list of value infos. Those with `= data` give an initializer; among inputs they are inputs as well, among
   * value infos they are not.
   */
  private values(
    open: '(' | '<',
    close: ')' | '>',
    kind: SyntaxTokenKind,
    places: SyntaxValue[],
    initializers?: TensorProto[],
    initializerPlaces?: SyntaxValue[],
  ): ValueInfoProto[] {
    const infos: ValueInfoProto[] = [];
    if (!this.expect(open)) return infos;
    while (!this.broken && !this.at(close)) {
      const place = this.value(kind);
      const data = initializers === undefined ? undefined : this.initializer(place);
      if (data === undefined || kind === 'definition') {
        infos.push({ name: place.name, ...(place.type === undefined ? {} : { type: place.type }) });
        places.push(place);
      }
      if (data !== undefined) {
        initializers?.push(data);
        initializerPlaces?.push(place);
      }
      if (this.broken && open === '<') {
        this.resumeAtValue();
        if (!this.atType()) break;
      } else if (this.accept(',')) {
        if (this.at(close)) this.complain('a value', close, this.span);
      } else {
        if (!this.atType() || !this.lexer.startsLine) break;
        this.complain(',', this.lexer.source, this.span);
      }
    }
    this.expect(close);
    return infos;
  }

  private value(kind: SyntaxTokenKind): Mutable<SyntaxValue> {
    const { start } = this.lexer;
    const type = this.atType() ? this.type() : undefined;
    const typeSpan: Span = [start, this.lexer.previousEnd];
    const { name, span } = this.name(kind, 'a value name');
    return { name, span, ...(type === undefined ? {} : { type, typeSpan }) };
  }

  private initializer(place: Mutable<SyntaxValue>): TensorProto | undefined {
    if (!this.accept('=')) return undefined;
    const token = this.tokens.at(-1);
    // The name was marked before it was known that data follows.
    if (token?.kind === 'annotation') this.tokens[this.tokens.length - 1] = { ...token, kind: 'definition' };
    const { start } = this.lexer;
    const tensor = this.tensor(place.name, place.type ?? { kind: 'unknown' }, place.typeSpan ?? place.span);
    place.dataSpan = [start, this.lexer.previousEnd];
    return tensor;
  }

  private body(graph: Mutable<SyntaxGraph>): NodeProto[] {
    const index = this.graph;
    const nodes: NodeProto[] = [];
    const { start } = this.lexer;
    if (this.depth >= maximumGraphDepth && this.at('{')) {
      this.complain(`at most ${maximumGraphDepth} nested graphs`, '{', this.span);
      this.skipBlock();
    } else {
      this.depth++;
      if (!this.expect('{') && graph.parent < 0 && this.looksLikeNode()) this.broken = false;
      while (!this.broken && !this.at('}') && !this.at('end')) {
        const from = this.lexer.start;
        const node = this.readNode(index, nodes.length);
        if (node !== undefined) nodes.push(node);
        this.graph = index;
        if (this.broken) this.resumeAtNode(from);
      }
      this.expect('}');
      this.depth--;
    }
    graph.bodySpan = [start, Math.max(start, this.lexer.previousEnd)];
    graph.fullSpan = [graph.fullSpan[0], graph.bodySpan[1]];
    return nodes;
  }

  /** Skips a balanced block of braces without recursion. */
  private skipBlock(): void {
    let open = 0;
    do {
      if (this.lexer.kind === '{') open++;
      if (this.lexer.kind === '}') open--;
      this.lexer.next();
    } while (open > 0 && this.lexer.kind !== 'end');
  }

  // --- nodes ----------------------------------------------------------------------------------------------

  private readNode(graphIndex: number, nodeIndex: number): NodeProto | undefined {
    const { start } = this.lexer;
    const marked = this.tokens.length;
    const index = this.nodes.length;
    this.node = index;
    const named = this.accept('[') ? this.optionalName('node') : undefined;
    if (this.text.charAt(start) === '[') this.expect(']');
    const outputs = this.names('definition');
    this.expect('=');
    const operator = this.operator();
    if (this.broken && operator.opType === '') {
      // Nothing says what this was: it is no node, and its words mean nothing.
      this.tokens.length = marked;
      this.node = -1;
      return undefined;
    }
    const place: Mutable<SyntaxNode> = {
      name: named?.name ?? '',
      ...(named === undefined ? {} : { nameSpan: named.span }),
      opType: operator.opType,
      domain: operator.domain,
      overload: '',
      span: [start, start],
      opSpan: operator.span,
      inputs: [],
      outputs,
      attributes: [],
      graphIndex,
      nodeIndex,
    };
    this.nodes.push(place);
    const overload = this.accept(':') ? this.name('operator', 'an overload').name : '';
    const places: SyntaxAttribute[] = [];
    const attributes = this.attributes(index, places);
    this.graph = graphIndex;
    this.node = index;
    const opened = this.expect('(');
    const inputs = this.names('use');
    if (opened) this.expect(')');
    // Attributes stand before or behind the inputs.
    if (attributes.length === 0) attributes.push(...this.attributes(index, places));
    this.node = -1;
    Object.assign(place, {
      overload,
      inputs,
      attributes: places,
      span: [start, Math.max(start, this.lexer.previousEnd)],
    });
    return {
      name: place.name,
      opType: operator.opType,
      domain: operator.domain,
      ...(overload === '' ? {} : { overload }),
      inputs: inputs.map(({ name }) => name),
      outputs: outputs.map(({ name }) => name),
      attributes,
    };
  }

  // --- functions ------------------------------------------------------------------------------------------

  private startsFunction(): boolean {
    const { kind } = this.lexer;
    return kind === '<' || kind === 'identifier' || kind === 'string';
  }

  private readFunction(functionIndex: number): FunctionProto {
    const { start } = this.lexer;
    const place = Object.assign(this.openGraph('function', -1), { functionIndex });
    const header = this.readHeader(functionHeaderKeys, () => {});
    const { name, span } = this.graphName('function');
    Object.assign(place, { name, span, fullSpan: [start, span[1]] });
    const attributes: string[] = [];
    const attributeProtos: AttributeProto[] = [];
    if (this.accept('<')) {
      const places: SyntaxAttribute[] = [];
      do {
        const found = this.name('attribute', 'an attribute name');
        if (this.at(':') || this.at('=')) attributeProtos.push(this.attribute(found, -1, places));
        else attributes.push(found.name);
      } while (this.accept(','));
      this.expect('>');
    }
    this.resumeAtArrow();
    const inputs = this.values('(', ')', 'definition', place.inputs);
    this.resumeAtArrow();
    this.expect('arrow');
    const outputs = this.values('(', ')', 'use', place.outputs);
    this.resumeAtBody();
    const further = this.at('<') ? this.values('<', '>', 'annotation', place.valueInfo) : [];
    this.resumeAtBody();
    const nodes = this.body(place);
    const valueInfo = [...inputs, ...outputs].filter(({ type }) => type !== undefined).concat(further);
    return {
      name,
      domain: header.strings.domain ?? '',
      ...(header.strings.overload === undefined ? {} : { overload: header.strings.overload }),
      inputs: inputs.map((input) => input.name),
      outputs: outputs.map((output) => output.name),
      attributes,
      attributeProtos,
      nodes,
      opsetImports: header.opsets,
      ...(valueInfo.length === 0 ? {} : { valueInfo }),
      ...(header.strings.doc_string === undefined ? {} : { docString: header.strings.doc_string }),
    };
  }

  // --- recovery -------------------------------------------------------------------------------------------

  /** After an error: skips tokens until `found` holds or the text ends, then reading goes on. */
  private resume(found: () => boolean, from = -1): void {
    if (!this.broken) return;
    this.broken = false;
    if (this.lexer.start <= from) this.lexer.next();
    while (this.lexer.kind !== 'end' && !found()) this.lexer.next();
  }

  private resumeAtArrow(): void {
    this.resumeInHeader(() => this.lexer.kind === 'arrow' || this.lexer.kind === '{');
  }

  private resumeAtBody(): void {
    this.resumeInHeader(() => this.lexer.kind === '{');
  }

  /** Within a graph's head; when a body ends or a node begins first, the graph is given up to who holds it. */
  private resumeInHeader(found: () => boolean): void {
    if (!this.broken) return;
    const { lexer } = this;
    const lost = () => lexer.kind === '}' || this.atNodeLine();
    this.resume(() => found() || lost());
    this.broken = !found();
  }

  /** The next initializer or value info on its own line, or the end of the list. */
  private resumeAtValue(): void {
    const { lexer } = this;
    this.resume(
      () =>
        (lexer.startsLine && this.atType()) ||
        (lexer.kind === '>' && lexer.peek() === '{') ||
        // Within a line a brace closes the elements of a tensor.
        (lexer.kind === '}' && lexer.startsLine),
    );
  }

  /** The next line that looks like a node, or the brace that closes this body. */
  private resumeAtNode(from: number): void {
    const { lexer } = this;
    let open = 0;
    this.resume(() => {
      if (this.atNodeLine()) return true;
      if (lexer.kind === '{') open++;
      if (lexer.kind !== '}') return false;
      return open-- === 0;
    }, from);
  }
}

/** The document's lists while they are being filled. */
interface OpenLists {
  inputs: SyntaxValue[];
  outputs: SyntaxValue[];
  initializers: SyntaxValue[];
  valueInfo: SyntaxValue[];
}
