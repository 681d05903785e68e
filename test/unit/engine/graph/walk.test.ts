import { describe, expect, it } from 'vitest';
import type { Value } from '../../../../server/src/engine/graph/ir';
import { verify } from '../../../../server/src/engine/graph/verify';
import {
  allGraphs,
  allNodes,
  captures,
  cloneModel,
  extract,
  nodesReachedFrom,
  nodesReaching,
} from '../../../../server/src/engine/graph/walk';
import { convNet, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';

/** x → relu → (If: uses relu and w) → add, beside an unrelated branch. */
function branching() {
  const branch = (name: string, op: string) =>
    graph({
      name,
      outputs: [valueInfo(`${name}_r`, ['N', 4])],
      nodes: [node(op, ['a', 'w'], [`${name}_r`], {}, { name: `${name}_node` })],
    });
  return graphOf(
    model({
      inputs: [valueInfo('x', ['N', 4]), valueInfo('z', ['N', 4])],
      outputs: [valueInfo('y', ['N', 4]), valueInfo('other', ['N', 4])],
      initializers: [
        tensor('w', [4], [1, 2, 3, 4]),
        tensor('unused', [1], [0]),
        tensor('yes', [], [1], 'bool'),
      ],
      nodes: [
        node('Relu', ['x'], ['a'], {}, { name: 'relu' }),
        node('Neg', ['z'], ['n'], {}, { name: 'neg' }),
        node(
          'If',
          ['yes'],
          ['b'],
          { then_branch: branch('t', 'Add'), else_branch: branch('e', 'Mul') },
          { name: 'if' },
        ),
        node('Add', ['b', 'a'], ['y'], {}, { name: 'add' }),
        node('Identity', ['n'], ['other'], {}, { name: 'out' }),
      ],
    }),
  );
}

function values(of: ReturnType<typeof branching>, ...names: string[]): Value[] {
  return names.map((name) => {
    const value = of.graph.values.get(name);
    if (!value) throw new Error(`no value ${name}`);
    return value;
  });
}

const labels = (nodes: Iterable<{ readonly label: string }>) => [...nodes].map((one) => one.label);

describe('walks', () => {
  it('go through graphs and nodes, outer before inner', () => {
    const of = branching();
    expect(allGraphs(of.graph).map((one) => one.name)).toEqual(['graph', 't', 'e']);
    expect(labels(allNodes(of.graph))).toEqual(['relu', 'neg', 'if', 't_node', 'e_node', 'add', 'out']);
  });

  it('see what subgraphs take from outside', () => {
    const of = branching();
    const holder = of.graph.nodes[2];
    expect(holder && captures(holder).map((value) => value.name)).toEqual(['a', 'w']);
  });

  it('reach backward and forward', () => {
    const of = branching();
    expect(labels(nodesReaching(of.graph, values(of, 'y')))).toEqual(['relu', 'if', 'add']);
    expect(labels(nodesReaching(of.graph, values(of, 'y'), new Set(values(of, 'a'))))).toEqual(['if', 'add']);
    expect(labels(nodesReachedFrom(of.graph, values(of, 'a')))).toEqual(['if', 'add']);
    expect(labels(nodesReachedFrom(of.graph, values(of, 'z')))).toEqual(['neg', 'out']);
  });
});

describe('extract', () => {
  it('cuts a prefix and a suffix that together compute the whole', async () => {
    const whole = graphOf(convNet());
    const [cut] = [whole.graph.values.get('relu1_out')];
    const end = whole.graph.outputs;
    if (!cut) throw new Error('cut');
    const prefix = extract(whole, whole.graph.inputs, [cut]);
    const suffix = extract(whole, [cut], end);
    expect([verify(prefix), verify(suffix), verify(whole)]).toEqual([[], [], []]);
    expect([...suffix.graph.initializers.keys()]).toEqual([
      'conv2.weight',
      'conv2.bias',
      'fc.weight',
      'fc.bias',
    ]);
    const feeds = noiseFeeds(whole, 2);
    const middle = (await runGraph(prefix, feeds)).relu1_out;
    if (!middle) throw new Error('prefix output');
    const joined = await runGraph(suffix, {
      relu1_out: { shape: middle.shape, data: Float32Array.from(middle.values) },
    });
    expect(joined).toEqual(await runGraph(whole, feeds));
  });

  it('keeps subgraphs, what they capture, and model inputs that are still needed', async () => {
    const of = branching();
    const part = extract(of, values(of, 'b'), values(of, 'y', 'other'));
    expect(verify(part)).toEqual([]);
    expect(part.graph.inputs.map((input) => input.name)).toEqual(['b', 'x', 'z']);
    const rest = extract(of, values(of, 'a'), values(of, 'y'));
    expect(verify(rest)).toEqual([]);
    expect([...rest.graph.initializers.keys()]).toEqual(['w', 'yes']);
    const data = Float32Array.of(1, 2, 3, 4);
    const result = await runGraph(rest, { a: { shape: [1, 4], data } });
    expect(result.y?.values).toEqual([3, 6, 9, 12]);
  });

  it('can make a weight an input', () => {
    const of = graphOf(convNet());
    const weight = of.graph.initializers.get('fc.weight');
    if (!weight) throw new Error('weight');
    const part = extract(of, [...of.graph.inputs, weight], of.graph.outputs);
    expect(verify(part)).toEqual([]);
    expect(part.graph.dataInputs.map((input) => input.name)).toEqual(['input', 'fc.weight']);
    expect(part.graph.initializers.has('fc.weight')).toBe(false);
  });
});

describe('cloneModel', () => {
  it('shares nothing that edits change', () => {
    const of = branching();
    const copy = cloneModel(of);
    expect(verify(copy)).toEqual([]);
    const mine = new Set<unknown>(
      allGraphs(of.graph).flatMap((one) => [one, ...one.nodes, ...one.values.values()]),
    );
    const theirs = allGraphs(copy.graph).flatMap((one) => [one, ...one.nodes, ...one.values.values()]);
    expect(theirs.filter((one) => mine.has(one))).toEqual([]);
    expect(labels(allNodes(copy.graph))).toEqual(labels(allNodes(of.graph)));
    copy.opsets.set('', 1);
    expect(of.opsets.get('')).toBe(17);
  });
});
