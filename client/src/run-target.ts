/** What a run of the history opens: the file it wrote, its comparison, or the page that shows its figures. Pure. */
import type { CompareData } from '../../server/src/protocol/panel';
import type { RunRecord } from '../../server/src/protocol/views';

export type RunTarget =
  | { readonly kind: 'model'; readonly uri: string }
  | {
      readonly kind: 'comparison';
      readonly floatUri: string;
      readonly quantizedUri: string;
      /** Samples it ran on; missing in records of an earlier version. */
      readonly data?: CompareData;
    };

/** A run that wrote nothing left its figures at its model. */
export function runTarget({ kind, modelUri, outputUri, request }: RunRecord): RunTarget {
  if (outputUri === undefined) return { kind: 'model', uri: modelUri };
  if (kind !== 'compare') return { kind: 'model', uri: outputUri };
  const pair = { kind: 'comparison', floatUri: modelUri, quantizedUri: outputUri } as const;
  if (request?.kind !== 'compare') return pair;
  const { kind: _kind, ...data } = request;
  return { ...pair, data };
}
