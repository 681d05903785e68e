/** S24: torch.quantization and torch.ao.quantization are to be removed from PyTorch. */
import { pathOf } from '../../script/names';
import type { ScriptRule } from './script-rule';
import { textAt } from './script-rule';

const old = /^torch\.(ao\.)?quantization(\.|$)/;

/** Where a function is found in torchao, for those that moved under the same name. */
const moved: ReadonlySet<string> = new Set(['prepare_pt2e', 'prepare_qat_pt2e', 'convert_pt2e']);

export const s24: ScriptRule<'S24'> = {
  code: 'S24',
  severity: 'warning',
  title: 'torch.ao.quantization is going to be removed',
  deprecated: true,
  documentation: {
    trigger: 'A function of `torch.quantization` or `torch.ao.quantization` is called.',
    why: 'PyTorch announces the deletion of these modules; new work happens in torchao.',
    remedy:
      'Move to torchao: PT2E functions keep their names in `torchao.quantization.pt2e`, weight-only and dynamic quantization become `quantize_(model, Config())`. Pin the PyTorch version until then.',
    source: 'PyTorch documentation 2.13, "Quantization": migration note.',
  },
  check(facts) {
    return facts.program.calls.flatMap((call) => {
      const path = pathOf(call.expression.callee, call.scope);
      if (path === undefined || !old.test(path)) return [];
      const name = path.slice(path.lastIndexOf('.') + 1);
      const { span } = call.expression.callee;
      return [
        {
          facts: {
            subject: textAt(facts, span),
            ...(moved.has(name) && { instead: `torchao.quantization.pt2e.${name}` }),
          },
          span,
        },
      ];
    });
  },
};
