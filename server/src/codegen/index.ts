/** A recipe as Python for another library: one entry per library. */
import { type CodeLibrary, codeLibraries } from '../protocol/lsp-ext';
import { aimetCode } from './aimet';
import type { Code, CodePlan } from './code-plan';
import { onnxruntimeCode } from './onnxruntime';
import { torchaoCode } from './torchao';

export type { Code, CodeNote, CodePlan } from './code-plan';
export { type CodeLibrary, codeLibraries };

const writers: Readonly<Record<CodeLibrary, (plan: CodePlan) => Code>> = {
  onnxruntime: onnxruntimeCode,
  torchao: torchaoCode,
  aimet: aimetCode,
};

export function writeCode(plan: CodePlan, library: CodeLibrary): Code {
  return writers[library](plan);
}
