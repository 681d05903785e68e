/** Sentences of the findings on scripts: what is wrong at this place and what to do, one sentence or two each. */
import type { ScriptCode, ScriptFindingFacts } from '../protocol/issues';

export const scriptSentences: { readonly [C in ScriptCode]: (facts: ScriptFindingFacts) => string } = {
  S13: ({ subject }) =>
    `${subject}: the network was prepared but never run, so its ranges are unknown. Run calibration samples through it before converting.`,
  S24: ({ subject, instead }) =>
    `${subject} is going to be removed from PyTorch. ${instead ? `Use ${instead}.` : 'Move to torchao, or pin the PyTorch version.'}`,
  S30: ({ subject, instead }) =>
    `${subject} belongs to the old torchao API. Pass ${instead ?? 'a configuration class'}.`,
  S32: ({ subject, instead }) =>
    `${subject} computes in float32 by default, which is slow. Add ${instead ?? 'a compute type'}.`,
  S50: ({ subject, instead }) => `${subject} is an old entry point. Call ${instead ?? 'its successor'}.`,
};
