/** Tables of the command line. */
import { expect, it } from 'vitest';
import { layerTable } from '../../../server/src/cli/report';
import type { AnalysisReport, LayerReport } from '../../../server/src/protocol/reports';

const layer: LayerReport = {
  name: 'a',
  node: 'a',
  op: 'Weight',
  weight: 'a',
  shape: [1, 32],
  params: 32,
  bytes: 34,
  macs: null,
  dataType: 'Q8_0',
  issues: [],
};

/** Title and text of the second column. */
function checkSecond(format: AnalysisReport['model']['format'], title: string, text: string): void {
  const model: AnalysisReport['model'] = {
    path: 'm',
    format,
    opset: null,
    params: 32,
    bytes: 34,
    macs: null,
    inputs: [],
    outputs: [],
    nodes: 0,
    ops: {},
  };
  const [head, row] = layerTable({ model, data: null, layers: [layer], issues: [] }).split('\n');
  expect([head?.trim().split(/\s+/)[1], row?.trim().split(/\s+/)[1]]).toEqual([title, text]);
}

it('tells the stored type in weight files and the operator in models', () => {
  checkSecond('gguf', 'type', 'Q8_0');
  checkSecond('safetensors', 'type', 'Q8_0');
  checkSecond('onnx', 'op', 'Weight');
});
