/** What happens to a network in the order of execution. */
import { describe, expect, it } from 'vitest';
import { flowsOf, madeBy } from '../../../server/src/script/flow';
import { programOf } from '../../fixtures/python';

/** Per object with its maker: the calls it takes part in, `?` before uncertain ones, `!` before opaque ones. */
async function histories(text: string): Promise<Readonly<Record<string, string>>> {
  const program = await programOf(text);
  const found: Record<string, string> = {};
  for (const flow of flowsOf(program)) {
    for (const [object, events] of flow.events) {
      const maker = madeBy(object);
      const key = maker?.path ?? maker?.name;
      if (key === undefined) continue;
      found[key] = events
        .filter(({ role }) => role !== 'result')
        .map(
          ({ call, certain, opaque, role }) =>
            `${certain ? '' : '?'}${opaque ? '!' : ''}${role === 'called' ? 'forward' : call.name}`,
        )
        .join(' ');
    }
  }
  return found;
}

describe('flows', () => {
  it('follows a network through wrappers, methods and aliases', async () => {
    const text = `
      import torch, copy
      from torch.ao.quantization import prepare, convert
      class Net(torch.nn.Module): pass
      model = Net().to('cpu')
      model.eval()
      other = copy.deepcopy(model)
      prepared = prepare(other)
      prepared(x)
      done = convert(prepared)
      `;
    expect(await histories(text)).toEqual({ Net: 'to eval deepcopy prepare forward convert' });
  });

  it('runs functions of the file in place', async () => {
    const text = `
      import torchvision
      def calibrate(net, loader):
          net.eval()
          for x in loader:
              net(x)
      model = torchvision.models.resnet18()
      calibrate(model, data)
      save(model)
      `;
    expect(await histories(text)).toMatchObject({
      'torchvision.models.resnet18': 'calibrate eval ?forward !save',
    });
  });

  it('joins branches: what differs is another object', async () => {
    const text = `
      class Net: pass
      model = Net()
      if quick:
          model.eval()
      else:
          model = load()
      model.train()
      `;
    expect(await histories(text)).toEqual({ Net: '?eval' });
  });

  it('gives every function that nothing calls its own flow', async () => {
    const program = await programOf('def f(model):\n  model.eval()\ndef g(model):\n  f(model)\n');
    const flows = flowsOf(program);
    expect(flows).toHaveLength(2);
    const events = [...(flows[1]?.events.values() ?? [])].map((all) =>
      all.map(({ call }) => call.name).join(' '),
    );
    expect(events).toEqual(['f eval']);
  });

  it('does not follow a function into itself', async () => {
    const text = `
      class Net: pass
      def f(m):
          m.eval()
          f(m)
      f(Net())
      `;
    expect(await histories(text)).toEqual({ Net: 'f eval !f' });
  });

  it('tells which object an argument is', async () => {
    const program = await programOf('class A: pass\na = A()\nf(1, a)\na.g(key=a)\n');
    const [flow] = flowsOf(program);
    const calls = program.calls.filter(({ name }) => name === 'f' || name === 'g');
    const [f, g] = calls;
    if (!flow || !f || !g) throw new Error('two calls');
    expect(flow.operand(f, 0)).toBeUndefined();
    expect(flow.operand(f, 1)).toBeDefined();
    expect(flow.operand(f, 1)).toBe(flow.operand(g, 'self'));
  });
});
