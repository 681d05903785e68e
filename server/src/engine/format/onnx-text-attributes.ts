/**
 * Operators and attributes of nodes in the ONNX textual syntax. Beyond the reference parser quoted operators,
 * domains, overloads, attribute names, subgraph names and tensor names are read, and lists of tensors, graphs and
 * types keep their values.
 */

import { ValueParser } from './onnx-text-values';
import {
  type AttributeWord,
  attributeTypeByWord,
  attributeWordByKind,
  type Span,
  type SyntaxAttribute,
  type SyntaxGraph,
  type SyntaxName,
  type SyntaxTokenKind,
} from './onnx-text-words';
import type { AttributeProto, AttributeValue, GraphProto } from './onnx-types';

const intLow = -(1n << 63n);
const intHigh = (1n << 63n) - 1n;
const utf8 = new TextEncoder();

const nodeLine =
  /(?:\[[^\]\n]{0,200}\][ \t]*)?(?:[A-Za-z_"][^=\n<>{}]{0,400})?=[ \t]*(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*(?:[ \t]*:[ \t]*[A-Za-z_]\w*)?[ \t]*[<(]/y;

/** Reads what belongs to one node; graphs inside attributes are read by the class above. */
export abstract class AttributeParser extends ValueParser {
  /** Reads a graph in an attribute; `named` is its name when that was read already. */
  protected abstract readGraph(parent: number, owner: SyntaxGraph['owner'], named?: SyntaxName): GraphProto;
  /** Index that the next graph will get. */
  protected abstract get nextGraph(): number;

  /**
   * `[name] outputs = domain.Op (` at the current token. Looks no further than some hundred characters, so that
   * asking stays cheap.
   */
  protected looksLikeNode(): boolean {
    nodeLine.lastIndex = this.lexer.start;
    if (!nodeLine.test(this.text)) return false;
    // `body = g (x) => (y) {` is an attribute with a subgraph.
    const rest = this.text.slice(nodeLine.lastIndex, nodeLine.lastIndex + 400);
    return !/^[^()\n]*\)?[ \t]*=>/.test(rest);
  }

  /** A node on a line of its own: inside another node it means that the other one breaks off. */
  protected atNodeLine(): boolean {
    return !this.broken && this.lexer.startsLine && this.looksLikeNode();
  }

  /** `a, , "b c"`: an empty slot is an absent value, a comma at the end adds nothing. */
  protected names(kind: SyntaxTokenKind): SyntaxName[] {
    const names: SyntaxName[] = [];
    for (;;) {
      if (kind === 'use' && this.atNodeLine()) return names;
      const found = this.optionalName(kind);
      if (found !== undefined) names.push(found);
      else if (this.at(',')) names.push({ name: '', span: [this.lexer.start, this.lexer.start] });
      if (!this.accept(',')) return names;
    }
  }

  /** `domain.parts.OpType`; parts that are no identifiers may be quoted. */
  protected operator(): { opType: string; domain: string; span: Span } {
    const { start } = this.lexer;
    const parts: string[] = [];
    do {
      if ((!this.at('identifier') && !this.at('string')) || this.atNodeLine()) {
        this.fail('an operator');
        break;
      }
      parts.push(this.lexer.kind === 'string' ? this.stringHere() : this.lexer.source);
      this.lexer.next();
    } while (this.accept('.'));
    const opType = parts.pop() ?? '';
    const domain = parts.join('.');
    const span: Span = [start, parts.length === 0 && opType === '' ? start : this.lexer.previousEnd];
    if (opType !== '') this.mark('operator', span, domain === '' ? opType : `${domain}.${opType}`);
    return { opType, domain, span };
  }

  protected attributes(node: number, places: SyntaxAttribute[]): AttributeProto[] {
    const attributes: AttributeProto[] = [];
    if (!this.accept('<')) return attributes;
    do {
      if (this.atNodeLine()) this.fail('an attribute name');
      const found = this.name('attribute', 'an attribute name');
      if (!this.broken) attributes.push(this.attribute(found, node, places));
    } while (this.accept(','));
    this.expect('>');
    return attributes;
  }

  protected attribute({ name, span }: SyntaxName, node: number, places: SyntaxAttribute[]): AttributeProto {
    const graph = this.graph;
    const declared = this.accept(':') ? this.attributeWord() : undefined;
    this.expect('=');
    const { start } = this.lexer;
    const owner = { node, attribute: name };
    const single = singleWord(declared);
    let value: AttributeValue;
    if (this.accept('[')) {
      const items: AttributeValue[] = [];
      if (!this.at(']')) {
        do {
          items.push(this.single(single, owner, graph));
          this.restore(node, graph);
        } while (this.accept(','));
      }
      this.expect(']');
      const listSpan: Span = [start, this.lexer.previousEnd];
      if (declared !== undefined && single === declared && !this.broken)
        this.complain(`one ${declared}`, 'a list', listSpan);
      value = this.list(items, declared, listSpan);
    } else {
      value = this.single(declared, owner, graph);
      this.restore(node, graph);
    }
    places.push({ name, span, fullSpan: [span[0], Math.max(span[1], this.lexer.previousEnd)] });
    return { name, value };
  }

  private restore(node: number, graph: number): void {
    this.node = node;
    this.graph = graph;
  }

  private attributeWord(): AttributeWord | undefined {
    const known = this.at('identifier') ? attributeTypeByWord(this.lexer.source) : undefined;
    if (known === undefined) {
      this.fail('an attribute type');
      return undefined;
    }
    this.mark('attribute-type', this.span, known.word);
    this.lexer.next();
    return known.word;
  }

  /** One value. `declared` is the annotation; an integer literal fits `float`, nothing else is converted. */
  private single(
    declared: AttributeWord | undefined,
    owner: SyntaxGraph['owner'],
    graph: number,
  ): AttributeValue {
    const { start } = this.lexer;
    const value = this.singleAs(declared, owner, graph);
    if (this.broken || declared === undefined || value.type === 'reference') return value;
    const found = attributeWordByKind(value.type);
    if (found === declared) return value;
    if (declared === 'float' && value.type === 'int')
      return { type: 'float', value: Math.fround(Number(value.value)) };
    this.complain(declared, found ?? 'nothing', [start, this.lexer.previousEnd]);
    return value;
  }

  private singleAs(
    declared: AttributeWord | undefined,
    owner: SyntaxGraph['owner'],
    graph: number,
  ): AttributeValue {
    const { lexer } = this;
    if (this.atNodeLine()) this.fail('an attribute value');
    if (this.accept('@')) {
      const attributeType = declared === undefined ? 0 : (attributeTypeByWord(declared)?.code ?? 0);
      return {
        type: 'reference',
        value: this.name('reference', 'the name of a function attribute').name,
        attributeType,
      };
    }
    if (this.at('string')) {
      const text = this.stringHere();
      const { span } = this;
      lexer.next();
      if (this.at('(') || this.at('arrow')) return this.subgraph(graph, owner, { name: text, span });
      return { type: 'string', value: utf8.encode(text) };
    }
    if (this.atType()) return this.typeOrTensor();
    // A word alone is more likely a typing error than a graph whose head is missing.
    if (this.at('identifier') && /[(=]/.test(lexer.peek())) return this.subgraph(graph, owner);
    if (this.at('integer') && declared !== 'float' && declared !== 'floats') {
      const value = this.bigInteger(intLow, intHigh);
      lexer.next();
      return { type: 'int', value };
    }
    const number = this.numberHere();
    if (number === undefined) {
      this.fail('an attribute value');
      return { type: 'undefined' };
    }
    lexer.next();
    return { type: 'float', value: Math.fround(number) };
  }

  private subgraph(parent: number, owner: SyntaxGraph['owner'], named?: SyntaxName): AttributeValue {
    if (named !== undefined) {
      this.graph = this.nextGraph;
      this.mark('graph', named.span, named.name);
    }
    return { type: 'graph', value: this.readGraph(parent, owner, named) };
  }

  private typeOrTensor(): AttributeValue {
    const { start } = this.lexer;
    const type = this.type();
    const typeSpan: Span = [start, this.lexer.previousEnd];
    const named = this.optionalName('annotation');
    const equals = this.accept('=');
    if (named === undefined && !equals && !this.at('{') && !this.at('['))
      return { type: 'type', value: type };
    return { type: 'tensor', value: this.tensor(named?.name ?? '', type, typeSpan) };
  }

  private list(
    items: readonly AttributeValue[],
    declared: AttributeWord | undefined,
    span: Span,
  ): AttributeValue {
    if (items.length === 0) {
      const empty = declared === undefined ? undefined : emptyList(declared);
      if (empty === undefined && !this.broken)
        this.complain('a type annotation before an empty list', '[]', span);
      return empty ?? { type: 'undefined' };
    }
    const kinds = new Set(items.map((item) => item.type));
    const mixed = kinds.size === 2 && kinds.has('int') && kinds.has('float');
    // As in the reference, integers fit into a list that began with a float.
    const fits = mixed && items[0]?.type === 'float';
    if (((kinds.size > 1 && !fits) || kinds.has('reference')) && !this.broken) {
      this.complain('values of one type', 'a mixed list', span);
    }
    const kind = mixed ? 'float' : items[0]?.type;
    const of = <K extends AttributeValue['type']>(wanted: K) =>
      items.filter((item): item is Extract<AttributeValue, { type: K }> => item.type === wanted);
    switch (kind) {
      case 'float':
        return {
          type: 'floats',
          value: items.flatMap((item) =>
            item.type === 'float' || item.type === 'int' ? [Number(item.value)] : [],
          ),
        };
      case 'int':
        return { type: 'ints', value: of('int').map(({ value }) => value) };
      case 'string':
        return { type: 'strings', value: of('string').map(({ value }) => value) };
      case 'tensor':
        return { type: 'tensors', value: of('tensor').map(({ value }) => value) };
      case 'graph':
        return { type: 'graphs', value: of('graph').map(({ value }) => value) };
      case 'type':
        return { type: 'types', value: of('type').map(({ value }) => value) };
      default:
        return { type: 'undefined' };
    }
  }
}

/** The word for one element of a list type; other words stay as they are. */
function singleWord(word: AttributeWord | undefined): AttributeWord | undefined {
  return word?.endsWith('s') ? (attributeTypeByWord(word.slice(0, -1))?.word ?? word) : word;
}

function emptyList(word: AttributeWord): AttributeValue | undefined {
  switch (word) {
    case 'floats':
    case 'ints':
    case 'strings':
    case 'tensors':
    case 'graphs':
      return { type: word, value: [] };
    case 'sparse_tensors':
      return { type: 'sparse-tensors', value: [] };
    case 'type_protos':
      return { type: 'types', value: [] };
    default:
      return undefined;
  }
}
