/** What the editor says on scripts: hovers, lenses, hints and actions on the lines that build a network. */
import type { Lack } from '../codegen/insert-block';
import type { DoubtKind } from '../script/picture';

export const scriptWords = {
  lookingAtWorkspace: 'Looking at the scripts of the workspace',
  layer: 'layer',
  size: 'size',
  findings: 'findings',
  layersOf: (count: number, model: string) => `**${count} layers** of ${model} are made here, worst first`,
  tiedTo: (model: string, by: 'names' | 'shapes') =>
    by === 'names' ? `Weights of ${model}` : `Weights of ${model}, tied by order and shape`,
  alsoFits: (models: readonly string[]) => `also fits ${models.join(', ')}`,
  partly: (tied: number, all: number) => `${tied} of ${all} layers tied`,
  chooseOther: 'Other model…',
  chooseModel: (model: string) => `This script is about ${model}`,
  notWritten: (model: string) => `${model}: not written yet`,
  hint: (format: string, db: string) => `${format} ${db}`,
  hintTooltip: (model: string, layers: number) =>
    `The smallest weight format that is good for ${layers === 1 ? 'this layer' : `all ${layers} layers made here`}; SQNR of the weight in ${model}.`,
  noneGood: 'No format of the table is good here: SQNR of the weight with int8 per channel.',
  ignoreHere: (code: string) => `Ignore ${code} here`,
  ignoreInFile: (code: string) => `Ignore ${code} in this file`,
  insertStatic: 'Insert static quantization (PT2E)',
  insertTraining: 'Insert quantization-aware training (PT2E)',
  insertQuantizeStatic: 'Insert quantize_static after export (onnxruntime)',
  insertDynamic: 'Insert quantize_dynamic after export (onnxruntime)',
  insertQuantize: 'Insert quantize_ (torchao)',
  /** @param floats what it leaves as it is: `17 Conv2d`. */
  insertQuantizeLinear: (floats: string) => `Insert quantize_ (torchao): Linear alone, ${floats} stay float`,
  insertLens: 'Insert quantization…',
  fixAll: 'Fix all safe findings of Quantlens',
  andMoreLayers: (count: number) => `and ${count} more ${count === 1 ? 'layer' : 'layers'} made here`,
  severalLayers: (fix: string, count: number) => `${fix}: ${count} layers made here`,
} as const;

/** What the editor says on the data of a script. */
export const dataWords = {
  lens: (facts: string) => `Calibrate with this data: ${facts}`,
  trainingLens: (facts: string) => `Calibrate with this training data: ${facts}`,
  title: (loader: boolean) => (loader ? '**Calibration data**' : '**Preprocessing** for calibration'),
  batch: (size: number) => `batches of ${size}`,
  training: 'for training',
  asIs: 'values as they are',
  formula: 'value = (pixel · scale − mean) / std; resize = shorter side, crop = square in the middle',
  generateReader: 'Generate calibration reader for onnxruntime',
  missing: (path: string) => `${path} is not there: choose the data.`,
  doubts: {
    'unknown-step': (detail) => `${detail} is not known here; it is left out.`,
    'unknown-value': (detail) => `${detail} is no constant; it is left out.`,
    random: (detail) => `${detail} is random, a step for training; the middle of the picture is taken.`,
    squashed: (detail) =>
      `Pictures are squashed to ${detail}; here the shorter side is resized and the rest cut off.`,
    'not-square': (detail) => `${detail} is not square, which resize and crop cannot say.`,
    'cropped-first': (detail) =>
      `Pictures are cropped to ${detail} before they are resized; here it is the other way round.`,
    interpolation: (detail) => `Resized with ${detail} interpolation; here it is bilinear.`,
    grey: () => 'Pictures are turned to grey; here they keep their colours.',
    'from-checkpoint': (detail) =>
      `The values of ${detail} come with the pretrained model and are not in the script.`,
    'no-pictures': (detail) => `${detail} is no folder of pictures: choose one, or a NumPy file.`,
    'unknown-source': (detail) => `The path of ${detail} is no constant: choose the data.`,
  } satisfies Readonly<Record<DoubtKind, (detail: string) => string>>,
} as const;

/** What each block that can be inserted does, and why one cannot be. */
export const insertionWords = {
  does: {
    static: 'int8 weights and activations on the PyTorch network; ranges from a few batches',
    training: 'fine-tuning with simulated int8, for what static quantization loses',
    onnxruntime: 'int8 weights and activations in the ONNX file; ranges from a few batches',
    dynamic: 'int8 weights in the ONNX file, activations at run time; no data needed',
    torchao: 'weights of Linear layers on the PyTorch network; no data needed',
  },
  lacks: {
    done: (network) => `stands in the script already for ${network}`,
    'no-loader': () =>
      'needs a DataLoader for calibration: none is known where the network is, and no function of the script makes one from constants',
    'only-held-out': (loader) => `needs a DataLoader with training data: only ${loader} found`,
    dictionaries: (loader) => `needs batches as tensors: those of ${loader} are dictionaries`,
    'no-labels': (loader) => `needs batches with labels: those of ${loader} have none`,
    random: (loader) => `needs data without random steps: ${loader} has some`,
    'no-reader': (loader) =>
      loader === ''
        ? 'needs a calibration reader that can be made without arguments in front of the export'
        : `needs a loader that a calibration reader can be made from in front of the export: ${loader} is none`,
    'no-export': () => 'needs torch.onnx.export or to_onnx of this network',
    'no-file': () => 'needs a file that torch.onnx.export writes: its name is not given',
    'no-matrices': () => 'needs Linear layers: none found in this network',
    'unknown-layers': () =>
      'needs to know the layers of the network: a library makes them, or code that is not read here',
    'only-output': () => 'needs a Linear layer besides the last, which stays float as the output: none found',
    convolutional: () =>
      'is for Linear layers, LSTM and attention: static quantization fits convolutions better',
    recipe: (recipe) => `no layer is decided in this way by ${recipe}`,
  } satisfies Readonly<Record<Lack, (name: string) => string>>,
} as const;
