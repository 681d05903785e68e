/** A recipe as Python for another library: one entry per library. */
import { aimetCode } from './aimet';
import type { Code, CodePlan, CodeTarget } from './code-plan';
import { onnxruntimeCode } from './onnxruntime';
import { torchaoCode } from './torchao';

export { type Code, type CodeNote, type CodePlan, type CodeTarget, codeTargets } from './code-plan';

const writers: Readonly<Record<CodeTarget, (plan: CodePlan) => Code>> = {
  onnxruntime: onnxruntimeCode,
  torchao: torchaoCode,
  aimet: aimetCode,
};

export function writeCode(plan: CodePlan, target: CodeTarget): Code {
  return writers[target](plan);
}
