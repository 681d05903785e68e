/**
 * Before: `graph(x, w) { w = constant; y = Conv(x, w) }` · after: `graph(x) { w = constant; y = Conv(x, w) }`.
 * Files of IR version 3 list every initializer among the inputs; from version 4 on that means a default that callers
 * may override, which keeps onnxruntime from treating weights as constants (onnx/docs/IR.md, Graphs).
 */
import type { Pass } from './pass';

/** First IR version whose initializers need not be inputs. */
const IR_VERSION = 4;

export const dropInitializerInputs: Pass = {
  name: 'drop-initializer-inputs',
  requires: [],
  ensures: ['initializers-are-constant'],
  run(model) {
    const { inputs, initializers } = model.graph;
    const kept = inputs.filter((input) => initializers.get(input.name) !== input);
    const modified = kept.length < inputs.length;
    if (modified) {
      inputs.splice(0, inputs.length, ...kept);
      model.irVersion = Math.max(model.irVersion, IR_VERSION);
    }
    return { modified, issues: [] };
  },
};
