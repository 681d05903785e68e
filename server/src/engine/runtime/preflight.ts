/** What onnxruntime would refuse with an obscure message, or die of, said before a session is created. */
import { dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import type { Model, Value } from '../graph/ir';
import { allNodes } from '../graph/walk';
import { newestOpset, unsupportedBorder } from './ort';
import { runtimeTypeOf } from './runtime-tensor';

/** Reasons why a model cannot run; empty when none is known. */
export function preflight(model: Model): readonly Issue[] {
  const { graph } = model;
  return [
    ...opsetIssues(model),
    ...graph.dataInputs.flatMap((value) => borderIssues('input', value)),
    ...graph.outputs.flatMap((value) => borderIssues('output', value)),
  ];
}

function opsetIssues(model: Model): readonly Issue[] {
  const version = model.opsets.get('');
  if (version === undefined) {
    for (const node of allNodes(model.graph)) if (node.domain === '') return [issue('opset-missing', {})];
    return [];
  }
  if (version <= newestOpset) return [];
  const facts = { what: `opset ${version}`, next: `export the model with opset ${newestOpset} or older` };
  return [issue('unsupported-feature', facts)];
}

/** A run that returns a packed 4-bit tensor aborts the whole process; the other types fail when a session is made. */
function borderIssues(kind: 'input' | 'output', value: Value): readonly Issue[] {
  if (value.otherType) return [unsupportedBorder(kind, value.name, 'a type that is no tensor')];
  const code = value.tensor?.dataType ?? value.elementType;
  if (code === 0 || runtimeTypeOf(code) !== undefined) return [];
  return [unsupportedBorder(kind, value.name, `type ${dataTypeByCode(code)?.name ?? code}`)];
}
