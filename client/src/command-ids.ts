/** Every command of the extension. A test compares the list with the manifest; the compiler asks for a handler each. */
import { clientCommands } from '../../server/src/protocol/lsp-ext';

/** Commands that lenses, hovers and quick fixes of the server may name. */
export const clientCommandIds = Object.values(clientCommands);

export const commandIds = [
  ...clientCommandIds,
  'quantlens.compareModels',
  'quantlens.layerActions',
  'quantlens.restartServer',
  'quantlens.showLog',
  'quantlens.clearCache',
  'quantlens.openWalkthrough',
  'quantlens.sortLayersByError',
  'quantlens.sortLayersByOrder',
  'quantlens.layer.quantizeInt4',
  'quantlens.layer.quantizeInt8',
  'quantlens.layer.keepFloat',
  'quantlens.layer.perChannel',
  'quantlens.layer.reveal',
  'quantlens.layer.whatIf',
  'quantlens.run.openOutput',
  'quantlens.run.again',
  'quantlens.run.compare',
  'quantlens.run.copyMarkdown',
  'quantlens.run.copyJson',
  'quantlens.run.forget',
  'quantlens.clearRuns',
  'quantlens.groupRunsByModel',
  'quantlens.listRuns',
] as const;

export type CommandId = (typeof commandIds)[number];
