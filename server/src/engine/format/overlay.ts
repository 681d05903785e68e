/**
 * Figures of nodes for Model Explorer ("custom node data" of one graph): a value per node, found by the name of a tensor
 * that it writes, coloured by thresholds. Source: google-ai-edge/model-explorer, node_data_builder.py, GraphNodeData.
 */

/** Nodes up to `limit`, and above the one before, get this colour. */
export interface OverlayThreshold {
  readonly limit: number;
  readonly color: string;
}

/** The text of a file; nodes without a figure are left as they are. */
export function writeOverlay(
  figures: ReadonlyMap<string, number | null>,
  thresholds: readonly OverlayThreshold[],
): string {
  const results = Object.fromEntries(
    [...figures].flatMap(([tensor, value]) => (value === null ? [] : [[tensor, { value }]])),
  );
  const data = {
    results,
    thresholds: thresholds.map(({ limit, color }) => ({ value: limit, bgColor: color })),
  };
  return `${JSON.stringify(data, null, 2)}\n`;
}
