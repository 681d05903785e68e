/** Small reports for the rules: layers as facts, no files. */
import type { AnalysisReport, LayerFacts, LayerReport } from '../../../server/src/protocol/reports';

const plainFacts: LayerFacts = {
  channels: 16,
  channelSpread: 2,
  widestChannel: 3,
  worstChannel: 5,
  worstChannelSqnr: 30,
  folded: { 'int8.tensor': 38, 'int8.channel': 42, 'int4.tensor': 13, 'int4.channel': 17 },
  deadChannels: [],
  notFinite: 0,
};

/** A layer with unremarkable weights; `facts` replaces single facts. */
export function layer(
  name: string,
  parts: Partial<LayerReport> = {},
  facts: Partial<LayerFacts> = {},
): LayerReport {
  return {
    name,
    node: `/${name}/Conv`,
    op: 'Conv',
    weight: `${name}.weight`,
    shape: [16, 8, 3, 3],
    params: 1152,
    bytes: 4608,
    macs: null,
    dataType: 'float',
    weightSqnr: {
      'int8.tensor': 38,
      'int8.channel': 42,
      'int4.channel': 17,
      'int4.group32': 19,
      'int3.channel': 10,
      'int2.channel': 3,
    },
    facts: { ...plainFacts, ...facts },
    issues: [],
    ...parts,
  };
}

export function report(...layers: readonly LayerReport[]): AnalysisReport {
  return {
    model: {
      path: 'model.onnx',
      format: 'onnx',
      opset: 17,
      params: 1000,
      bytes: 20000,
      macs: null,
      inputs: [{ name: 'x', type: 'float', shape: ['N', 3, 32, 32] }],
      outputs: [],
      nodes: 3,
      ops: { Conv: 3 },
    },
    data: null,
    layers,
    issues: [],
  };
}
