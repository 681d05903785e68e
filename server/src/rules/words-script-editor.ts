/** What the editor says on scripts: hovers, lenses, hints and actions on the lines that build a network. */

export const scriptWords = {
  layerTable: '| layer | int8 | int4 | size |\n|---|--:|--:|--:|',
  layersOf: (count: number, model: string) => `**${count} layers** of ${model} are made here, worst first`,
  tiedTo: (model: string, by: 'names' | 'shapes') =>
    by === 'names' ? `Weights of ${model}` : `Weights of ${model}, tied by order and shape`,
  alsoFits: (models: readonly string[]) => `also fits ${models.join(', ')}`,
  partly: (tied: number, all: number) => `${tied} of ${all} layers tied`,
  chooseModel: (model: string) => `This script is about ${model}`,
  notWritten: (model: string) => `${model}: not written yet`,
  hint: (format: string, db: string) => `${format} ${db}`,
  hintTooltip: (model: string, layers: number) =>
    `The smallest weight format that is good for ${layers === 1 ? 'this layer' : `all ${layers} layers made here`}; SQNR of the weight in ${model}.`,
  noneGood: 'No format of the table is good here: SQNR of the weight with int8 per channel.',
  ignoreHere: (code: string) => `Ignore ${code} here`,
  ignoreInFile: (code: string) => `Ignore ${code} in this file`,
  fixAll: 'Fix all safe findings of Quantlens',
  andMoreLayers: (count: number) => `and ${count} more ${count === 1 ? 'layer' : 'layers'} made here`,
  severalLayers: (fix: string, count: number) => `${fix}: ${count} layers made here`,
} as const;
