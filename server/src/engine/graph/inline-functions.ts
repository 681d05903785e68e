/**
 * Model-local functions (onnx/docs/IR.md, Functions): every call is replaced by the nodes of the body, so that weights
 * inside bodies and weights passed as arguments are layers like any other. Names inside a body get the call's label
 * in front; calls keep their place in the file. Nothing else of the model changes.
 */
import { type Issue, issue } from '../base/issue';
import type {
  AttributeProto,
  AttributeValue,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  ValueInfoProto,
} from '../format/onnx-types';

export interface InlinedModel {
  readonly proto: ModelProto;
  /** Position in the file of nodes of the main graph that moved: that of the call they come from. */
  readonly positions: ReadonlyMap<NodeProto, number>;
  readonly issues: readonly Issue[];
}

/** Calls in calls deeper than this, or more nodes than this, are a lie of the file. */
const MAX_DEPTH = 32;
const MAX_NODES = 1 << 20;

/**
 * The model without calls. A function that needs another version of an operator set than the model states stays a
 * call, with a warning: its body means something else there.
 */
export function inlineFunctions(proto: ModelProto): InlinedModel {
  const none: InlinedModel = { proto, positions: new Map(), issues: [] };
  if (proto.functions.length === 0 || !proto.graph) return none;
  return new Inliner(proto).run(proto.graph);
}

/** Names and attributes of one call. */
interface Scope {
  readonly name: (name: string) => string;
  readonly attributes: ReadonlyMap<string, AttributeProto>;
  readonly label: string;
}

class Inliner {
  private readonly functions = new Map<string, FunctionProto>();
  private readonly versions: Map<string, number>;
  private readonly positions = new Map<NodeProto, number>();
  private readonly issues = new Map<string, Issue>();
  private readonly labels = new Set<string>();
  /** Functions that are being expanded: one that calls itself never ends. */
  private readonly active = new Set<FunctionProto>();
  /** Of values of the main graph. */
  private readonly names: readonly string[];
  private count = 0;

  constructor(private readonly proto: ModelProto) {
    const { nodes = [], inputs = [], initializers = [] } = proto.graph ?? {};
    this.names = [
      ...nodes.flatMap((node) => node.outputs),
      ...inputs.map((one) => one.name),
      ...initializers.map((one) => one.name),
    ];
    this.versions = new Map(proto.opsetImports.map(({ domain, version }) => [plainDomain(domain), version]));
    for (const one of proto.functions) this.functions.set(keyOf(one.domain, one.name, one.overload), one);
  }

  run(graph: GraphProto): InlinedModel {
    const inlined = this.graph(graph, undefined, 0, true);
    const left = [...this.issues.values()];
    if (this.count > MAX_NODES) return { proto: this.proto, positions: new Map(), issues: [tooLarge()] };
    const opsetImports = [...this.versions].map(
      ([domain, version]) =>
        this.proto.opsetImports.find((one) => plainDomain(one.domain) === domain) ?? { domain, version },
    );
    const functions = left.length > 0 ? this.proto.functions : [];
    return {
      proto: { ...this.proto, graph: inlined, opsetImports, functions },
      positions: this.positions,
      issues: left,
    };
  }

  private graph(graph: GraphProto, scope: Scope | undefined, depth: number, main = false): GraphProto {
    const info = (one: ValueInfoProto) => (scope ? { ...one, name: scope.name(one.name) } : one);
    const nodes = graph.nodes.flatMap((node, index) => {
      const made = this.expand(node, index, scope, depth);
      if (main && (made.length !== 1 || made[0] !== node))
        for (const one of made) this.positions.set(one, index);
      else if (main) this.positions.set(node, index);
      return made;
    });
    return {
      ...graph,
      nodes,
      inputs: graph.inputs.map(info),
      outputs: graph.outputs.map(info),
      valueInfo: graph.valueInfo.map(info),
      initializers: scope
        ? graph.initializers.map((one) => ({ ...one, name: scope.name(one.name) }))
        : graph.initializers,
    };
  }

  /** The node in its scope, or, for a call, the nodes of the body. */
  private expand(
    node: NodeProto,
    index: number,
    scope: Scope | undefined,
    depth: number,
  ): readonly NodeProto[] {
    if (++this.count > MAX_NODES) return [];
    const found = this.functions.get(keyOf(node.domain, node.opType, node.overload));
    const scoped = this.scoped(node, index, scope, depth);
    if (!found || !this.fits(found, node)) return [scoped];
    if (depth >= MAX_DEPTH || this.active.has(found)) {
      this.count = Number.POSITIVE_INFINITY;
      return [];
    }
    this.active.add(found);
    const nodes = this.body(found, scoped, index, depth);
    this.active.delete(found);
    return nodes;
  }

  private body(found: FunctionProto, call: NodeProto, index: number, depth: number): readonly NodeProto[] {
    const label = this.label(call.name === '' ? `${call.opType}_${index}` : call.name);
    const names = new Map<string, string>();
    found.inputs.forEach((name, at) => {
      names.set(name, call.inputs[at] ?? '');
    });
    const passed = new Map<string, string>();
    found.outputs.forEach((name, at) => {
      const outer = call.outputs[at];
      if (!outer) return;
      // An output that is an input, or is returned twice, needs a node of its own.
      if (names.has(name)) passed.set(outer, name);
      else names.set(name, outer);
    });
    const attributes = new Map(found.attributeProtos.map((one) => [one.name, one]));
    for (const one of call.attributes) attributes.set(one.name, one);
    const scope: Scope = {
      name: (name) => (name === '' ? '' : (names.get(name) ?? `${label}/${name}`)),
      attributes,
      label,
    };
    const nodes = found.nodes.flatMap((node, at) => this.expand(node, at, scope, depth + 1));
    const copies = [...passed].map(
      ([outer, inner]): NodeProto => ({
        name: `${label}/${outer}`,
        opType: 'Identity',
        domain: '',
        inputs: [scope.name(inner)],
        outputs: [outer],
        attributes: [],
      }),
    );
    return [...nodes, ...copies];
  }

  private scoped(node: NodeProto, index: number, scope: Scope | undefined, depth: number): NodeProto {
    const attributes = node.attributes.flatMap((one) => this.attribute(one, scope, depth));
    if (!scope)
      return attributes.every((one, at) => one === node.attributes[at]) ? node : { ...node, attributes };
    const name = node.name === '' ? `${node.opType}_${index}` : node.name;
    return {
      ...node,
      name: `${scope.label}/${name}`,
      inputs: node.inputs.map(scope.name),
      outputs: node.outputs.map(scope.name),
      attributes,
    };
  }

  /** References take the call's attribute, or the function's default; without both the attribute is absent. */
  private attribute(
    attribute: AttributeProto,
    scope: Scope | undefined,
    depth: number,
  ): readonly AttributeProto[] {
    const { value } = attribute;
    if (value.type === 'reference' && scope) {
      const given = scope.attributes.get(value.value);
      return given ? [{ ...attribute, value: given.value }] : [];
    }
    if (value.type !== 'graph' && value.type !== 'graphs') return [attribute];
    const inner = (graph: GraphProto) => this.graph(graph, scope, depth);
    const made: AttributeValue =
      value.type === 'graph'
        ? { type: 'graph', value: inner(value.value) }
        : { type: 'graphs', value: value.value.map(inner) };
    return [{ ...attribute, value: made }];
  }

  /** Adds operator sets that only the function imports; false when one differs from the model's. */
  private fits(found: FunctionProto, node: NodeProto): boolean {
    for (const { domain, version } of found.opsetImports) {
      const stated = this.versions.get(plainDomain(domain));
      if (stated === undefined) {
        this.versions.set(plainDomain(domain), version);
        continue;
      }
      if (stated === version || this.isOwn(domain)) continue;
      const what = `weights in function ${found.name}: it is written for ${domain || 'ai.onnx'} ${version}, the model for ${stated}`;
      const next = 'Convert the model to one version, or inline its functions.';
      this.issues.set(
        found.name,
        issue('unsupported-feature', { what, next }, { node: node.name }, 'warning'),
      );
      return false;
    }
    return true;
  }

  /** A domain of nothing but functions of this model has no versions that could differ. */
  private isOwn(domain: string): boolean {
    return this.proto.functions.some((one) => one.domain === domain);
  }

  /** The call's label, unique among calls and no beginning of a name that is there already. */
  private label(base: string): string {
    const taken = (label: string) =>
      this.labels.has(label) || this.names.some((name) => name.startsWith(`${label}/`));
    let label = base;
    for (let count = 2; taken(label); count++) label = `${base}_${count}`;
    this.labels.add(label);
    return label;
  }
}

function tooLarge(): Issue {
  const facts = { what: 'functions that call each other this often', next: 'Inline them with onnx.inliner.' };
  return issue('unsupported-feature', facts, {}, 'warning');
}

function plainDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function keyOf(domain: string, name: string, overload: string | undefined): string {
  return JSON.stringify([plainDomain(domain), name, overload ?? '']);
}
