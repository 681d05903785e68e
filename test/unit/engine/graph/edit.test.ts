import { describe, expect, it } from 'vitest';
import {
  addInitializer,
  addNode,
  freshName,
  removeDead,
  removeInitializer,
  removeNode,
  removeUnusedConstant,
  replaceByConstant,
  replaceNode,
  replaceOutput,
  replaceTensor,
  replaceUses,
  setInput,
} from '../../../../server/src/engine/graph/edit';
import { type Model, type Node, Value } from '../../../../server/src/engine/graph/ir';
import { floatTensor } from '../../../../server/src/engine/graph/tensor';
import { toOnnx } from '../../../../server/src/engine/graph/to-onnx';
import { invariants, verify } from '../../../../server/src/engine/graph/verify';
import { convNet, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';

function net(): Model {
  return graphOf(
    model({
      inputs: [valueInfo('x', [4])],
      outputs: [valueInfo('y', [4])],
      initializers: [tensor('w', [4], [1, 2, 3, 4])],
      nodes: [
        node('Constant', [], ['k'], { value: tensor('', [4], [0, 0, 0, 0]) }),
        node('Add', ['x', 'w'], ['a']),
        node('Add', ['a', 'k'], ['b']),
        node('Relu', ['b'], ['y']),
      ],
    }),
  );
}

function at(of: Model, index: number): Node {
  const found = of.graph.nodes[index];
  if (!found) throw new Error(`no node ${index}`);
  return found;
}

function named(of: Model, name: string): Value {
  const found = of.graph.find(name);
  if (!found) throw new Error(`no value ${name}`);
  return found;
}

const ops = (of: Model) => of.graph.nodes.map((one) => one.opType);
const ones = floatTensor([4], Float32Array.of(1, 1, 1, 1));

const edits: readonly (readonly [string, (of: Model) => void, readonly string[]])[] = [
  [
    'insert before a node',
    (of) => {
      const made = addNode(of.graph, { opType: 'Neg', inputs: [named(of, 'a')], outputs: ['a'] }, at(of, 2));
      expect(made.output()?.name).toBe('a_2');
      setInput(at(of, 3), 0, made.output());
    },
    ['Constant', 'Add', 'Neg', 'Add', 'Relu'],
  ],
  [
    'append with an absent output',
    (of) => addNode(of.graph, { opType: 'Dropout', inputs: [named(of, 'y')], outputs: ['d', ''] }),
    ['Constant', 'Add', 'Add', 'Relu', 'Dropout'],
  ],
  [
    'replace uses but for one node',
    (of) => replaceUses(named(of, 'a'), named(of, 'x')),
    ['Constant', 'Add', 'Add', 'Relu'],
  ],
  [
    'set an input beyond the end',
    (of) => setInput(at(of, 3), 2, named(of, 'w')),
    ['Constant', 'Add', 'Add', 'Relu'],
  ],
  ['clear an input', (of) => setInput(at(of, 1), 1, undefined), ['Constant', 'Add', 'Add', 'Relu']],
  [
    'replace a node',
    (of) => replaceNode(at(of, 2), { opType: 'Sub', inputs: [named(of, 'x'), named(of, 'a')] }),
    ['Constant', 'Add', 'Sub', 'Relu'],
  ],
  ['replace by a constant', (of) => replaceByConstant(at(of, 1), ones), ['Constant', 'Add', 'Relu']],
  [
    'replace an output',
    (of) => replaceOutput(of.graph, named(of, 'y'), named(of, 'b')),
    ['Constant', 'Add', 'Add', 'Relu'],
  ],
  [
    'remove what reaches nothing',
    (of) => {
      replaceUses(named(of, 'b'), named(of, 'x'));
      expect(removeDead(of.graph)).toBe(4);
    },
    ['Relu'],
  ],
  [
    'remove an unused constant',
    (of) => {
      replaceUses(named(of, 'k'), named(of, 'w'));
      removeUnusedConstant(of.graph, named(of, 'k'));
      removeUnusedConstant(of.graph, named(of, 'w'));
    },
    ['Add', 'Add', 'Relu'],
  ],
];

describe('edits keep the invariants', () => {
  it.each(edits)('%s', (_, edit, expected) => {
    const of = net();
    edit(of);
    expect(verify(of)).toEqual([]);
    expect(ops(of)).toEqual(expected);
  });

  it('refuse to remove what is in use', () => {
    const of = net();
    expect(() => removeNode(at(of, 1))).toThrow(/in use/);
    expect(() => removeNode(at(of, 3))).toThrow(/in use/);
    expect(() => removeInitializer(of.graph, named(of, 'w'))).toThrow(/in use/);
  });

  it('find names free in enclosing graphs too', () => {
    const of = net();
    addInitializer(of.graph, 'w', ones);
    expect(freshName(of.graph, 'w')).toBe('w_3');
    const inner = graphOf(
      model({
        inputs: [valueInfo('c', [], 'bool')],
        outputs: [valueInfo('y', undefined)],
        initializers: [tensor('w', [1], [1])],
        nodes: [
          node('If', ['c'], ['y'], {
            then_branch: graph({
              name: 't',
              outputs: [valueInfo('r', undefined)],
              nodes: [node('Relu', ['w'], ['r'])],
            }),
          }),
        ],
      }),
    ).graph.nodes[0]?.subgraphs[0];
    expect(inner && freshName(inner, 'w')).toBe('w_2');
  });

  it('write a replaced Constant as an attribute', () => {
    const of = net();
    replaceTensor(named(of, 'k'), ones);
    const written = toOnnx(of).graph?.nodes[0]?.attributes;
    expect(written).toHaveLength(1);
    expect(written?.[0]).toMatchObject({
      name: 'value',
      value: {
        type: 'tensor',
        value: { dims: [4], payload: { bytes: new Uint8Array(Float32Array.of(1, 1, 1, 1).buffer) } },
      },
    });
  });
});

/** Each breaks one invariant behind the back of edit.ts. */
const faults: Readonly<Record<string, (of: Model) => void>> = {
  'nodes-belong-to-their-graph': (of) => void of.graph.nodes.push(at(of, 3)),
  'outputs-know-their-producer': (of) => {
    named(of, 'a').producer = undefined;
  },
  'uses-match-inputs': (of) => void named(of, 'a').uses.pop(),
  'names-are-unique-and-listed': (of) => void of.graph.values.delete('a'),
  'initializers-have-content': (of) => {
    named(of, 'w').tensor = undefined;
  },
  'values-are-in-scope': (of) => {
    const stranger = new Value('stranger');
    setInput(at(of, 2), 1, stranger);
  },
  'nodes-are-in-order': (of) => void of.graph.nodes.reverse(),
  'outputs-belong-to-the-graph': (of) => void of.graph.outputs.push(new Value('stranger')),
  'subgraphs-know-their-place': (of) => {
    at(of, 3).attributes.set('body', { type: 'graph', value: net().graph });
  },
};

describe('verify', () => {
  it('is silent about good graphs', () => {
    expect(verify(graphOf(convNet()))).toEqual([]);
  });

  it('has a fault for every invariant', () => {
    expect(Object.keys(faults)).toEqual(invariants.map((one) => one.name));
  });

  it.each(Object.entries(faults))('notices %s', (name, fault) => {
    const of = net();
    fault(of);
    expect(verify(of).some((sentence) => sentence.startsWith(`${name}:`))).toBe(true);
  });
});
