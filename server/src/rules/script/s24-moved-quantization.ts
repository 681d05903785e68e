/** S24: torch.quantization and torch.ao.quantization are to be removed from PyTorch. */
import type { Call } from '../../script/program';
import { callsLike, type ScriptRule, textAt } from './script-rule';

const old = /^torch\.(ao\.)?quantization(\.|$)/;

/** Where a function is found in torchao, for those that moved under the same name. */
const moved: ReadonlySet<string> = new Set(['prepare_pt2e', 'prepare_qat_pt2e', 'convert_pt2e']);

export const s24: ScriptRule<'S24'> = {
  code: 'S24',
  severity: 'warning',
  title: 'torch.ao.quantization is going to be removed',
  deprecated: true,
  documentation: {
    trigger:
      'The first call of a function of `torch.quantization` or `torch.ao.quantization` in a file; and the first of each PT2E function, which has a successor of the same name.',
    why: 'Their functions warn of their removal (announced for 2.10 and still there in 2.13); new work happens in torchao.',
    remedy:
      'Move to torchao: PT2E functions keep their names in `torchao.quantization.pt2e`, FX quantization becomes PT2E, weight-only and dynamic quantization become `quantize_(model, Config())`. Pin the PyTorch version until then.',
    source: 'torch/ao/quantization/utils.py, DEPRECATION_WARNING; pytorch/ao#2259.',
  },
  check(facts) {
    const said = new Set<string>();
    return callsLike(facts, isOld).flatMap((call) => {
      const { path } = call;
      if (path === undefined) return [];
      const name = path.slice(path.lastIndexOf('.') + 1);
      const successor = moved.has(name) ? name : undefined;
      if (said.has(successor ?? '')) return [];
      said.add(successor ?? '');
      const { span } = call.expression.callee;
      return [
        {
          facts: {
            subject: textAt(facts, span),
            ...(successor && { instead: `torchao.quantization.pt2e.${successor}` }),
          },
          span,
        },
      ];
    });
  },
};

function isOld({ path }: Call): boolean {
  return path !== undefined && old.test(path);
}
