/**
 * All texts of the webviews, translated here because pages cannot ask for translations. A test compares the keys
 * with those that the pages use. `{0}` and so on are replaced by the page.
 */
import * as vscode from 'vscode';
import type { PanelWords } from '../../server/src/protocol/panel';
import { stageText, unitText } from './progress-text';

/** Words of the model's page. */
export function modelPanelWords(): PanelWords {
  return {
    ...sharedWords(),
    opening: vscode.l10n.t('Opening the model…'),
    layers: vscode.l10n.t('Layers'),
    layerCount: vscode.l10n.t('{0} layers'),
    layerCountOf: vscode.l10n.t('{0} of {1} layers'),
    legend: vscode.l10n.t('SQNR: ✓ good from {0} dB, △ watch from {1} dB, ✗ bad below'),
    filter: vscode.l10n.t('Filter by name, operator or finding'),
    findings: vscode.l10n.t('Findings'),
    findingsCount: vscode.l10n.t('Findings ({0})'),
    allFindings: vscode.l10n.t('Show all {0} findings'),
    fewerFindings: vscode.l10n.t('Show fewer'),
    explain: vscode.l10n.t('What {0} means, in the documentation'),
    showLayer: vscode.l10n.t('Show in the table'),
    inRecipe: vscode.l10n.t('Writes it into the recipe; can be undone'),
    actions: vscode.l10n.t('Actions'),
    calibrate: vscode.l10n.t('Calibrate…'),
    calibrateTitle: vscode.l10n.t(
      'Measure what quantization does to the activations, with your data or without',
    ),
    quantizeInt8: vscode.l10n.t('Quantize to int8'),
    quantizeInt8Title: vscode.l10n.t('Writes NAME.w8a8.onnx: int8 weights, uint8 activations'),
    quantizeInt4: vscode.l10n.t('Quantize to int4'),
    quantizeInt4Title: vscode.l10n.t('Writes NAME.int4.onnx: int4 weights, float activations'),
    openAsText: vscode.l10n.t('Open as Text'),
    openRecipe: vscode.l10n.t('Open Recipe'),
    createRecipe: vscode.l10n.t('Create Recipe'),
    measure: vscode.l10n.t('Measure'),
    planned: vscode.l10n.t('Size after the recipe'),
    plannedTitle: vscode.l10n.t('Estimated from the formats that the recipe plans; {0} now'),
    data: vscode.l10n.t('Calibration data'),
    dataValue: vscode.l10n.t('{0}, {1} samples'),
    noDataValue: vscode.l10n.t('none; {0} made-up samples'),
    output: vscode.l10n.t('Output at {0}'),
    outputAgreement: vscode.l10n.t(', top-1 agreement {0}'),
    deployed: vscode.l10n.t('Measured with integer kernels, as deployed'),
    simulated: vscode.l10n.t('Measured with simulated quantization'),
    failed: vscode.l10n.t('The model cannot be read.'),
    'banner.warning': vscode.l10n.t('Warning:'),
    'banner.error': vscode.l10n.t('Error:'),
    weightsRunning: vscode.l10n.t('Analysing the weights; figures appear layer by layer.'),
    measuring: vscode.l10n.t('Measuring with the model running; figures appear layer by layer.'),
    noLayers: vscode.l10n.t('No layer with constant weights was found; there is nothing to quantize.'),
    noFloatWeights: vscode.l10n.t(
      'The weights are not stored as float, most likely because the model is quantized already; there is no error to compute on them.',
    ),
    notFloat: vscode.l10n.t('No figure: the weight is not stored as float'),
    headerOnly: vscode.l10n.t('Read from the header; the weights have not been analysed.'),
    tooLarge: vscode.l10n.t('The weights ({0}) are above the size that is analysed on opening.'),
    'modelData.noise': vscode.l10n.t(
      'No data: activation ranges were made from random noise. Read the figures as rough.',
    ),
    'modelData.random': vscode.l10n.t(
      'No data: inputs are random numbers, which no real input resembles. Read the figures as rough.',
    ),
    'modelData.batch-norm': vscode.l10n.t(
      'No data: activation ranges were derived from BatchNormalization statistics. Read the figures as rough.',
    ),
    'severity.error': vscode.l10n.t('Error'),
    'severity.warning': vscode.l10n.t('Warning'),
    'severity.information': vscode.l10n.t('Information'),
    'severity.hint': vscode.l10n.t('Hint'),
    'column.op': vscode.l10n.t('Op'),
    'column.shape': vscode.l10n.t('Weight shape'),
    'column.params': vscode.l10n.t('Parameters'),
    'column.planned': vscode.l10n.t('Recipe'),
    'column.plannedTitle': vscode.l10n.t('Weight format that the recipe plans'),
    depthwise: vscode.l10n.t('{0} (depthwise)'),
    paramsTitle: vscode.l10n.t('{0} as stored, {1} multiply-accumulates per sample'),
    float: vscode.l10n.t('float'),
    actionsOn: vscode.l10n.t('Actions on {0}'),
    reveal: vscode.l10n.t('Reveal in Text'),
    undefinedError: vscode.l10n.t('Undefined: the weight is all zero or not finite'),
    'fix.quantize-int4': vscode.l10n.t('Quantize to int4'),
    'fix.quantize-int8': vscode.l10n.t('Quantize to int8'),
    'fix.keep-float': vscode.l10n.t('Keep in float'),
    'fix.per-channel-weights': vscode.l10n.t('Use per-channel weights'),
    'fix.fold-batchnorm': vscode.l10n.t('Fold BatchNormalization'),
    'effect.weight': vscode.l10n.t('SQNR of the weight itself at {0}'),
    'effect.output': vscode.l10n.t('SQNR at the model output when only this layer is {0}'),
    'basis.estimated': vscode.l10n.t('estimated'),
    'basis.measured': vscode.l10n.t('measured'),
  };
}

/** Words of the calibration panel. */
export function calibrationPanelWords(): PanelWords {
  return {
    ...sharedWords(),
    ...stageWords(),
    title: vscode.l10n.t('Calibration'),
    noModel: vscode.l10n.t('No ONNX model in this workspace. Open a folder with one.'),
    manageTrust: vscode.l10n.t('Manage Workspace Trust'),
    'field.model': vscode.l10n.t('Model'),
    'field.data': vscode.l10n.t('Calibration data'),
    'field.samples': vscode.l10n.t('Samples'),
    'field.estimator': vscode.l10n.t('Range estimator'),
    'field.scheme': vscode.l10n.t('Scheme'),
    'field.scale': vscode.l10n.t('Scale'),
    'field.mean': vscode.l10n.t('Mean'),
    'field.std': vscode.l10n.t('Standard deviation'),
    'field.resize': vscode.l10n.t('Resize, shorter side in pixels'),
    'field.crop': vscode.l10n.t('Centre crop in pixels'),
    'field.layout': vscode.l10n.t('Layout of the model input'),
    'field.color': vscode.l10n.t('Colour order'),
    'placeholder.scale': vscode.l10n.t('1/255 for images'),
    'placeholder.mean': vscode.l10n.t('0, or one per channel: 0.485, 0.456, 0.406'),
    'placeholder.std': vscode.l10n.t('1, or one per channel'),
    'placeholder.resize': vscode.l10n.t('no resizing'),
    'placeholder.crop': vscode.l10n.t('no crop'),
    'data.none': vscode.l10n.t('None'),
    'data.random': vscode.l10n.t('Random'),
    'data.folder': vscode.l10n.t('Folder…'),
    'data.file': vscode.l10n.t('File…'),
    'noData.none': vscode.l10n.t(
      'No data: ranges come from BatchNormalization statistics, else from seeded noise. Read the figures as rough.',
    ),
    'noData.random': vscode.l10n.t(
      'No data: inputs are random numbers, which no real input resembles. Read the figures as rough.',
    ),
    nothingChosen: vscode.l10n.t('Nothing chosen yet'),
    change: vscode.l10n.t('Change…'),
    preprocessing: vscode.l10n.t('Preprocessing'),
    preprocessingHelp: vscode.l10n.t(
      'value = (pixel · scale − mean) / standard deviation. Arrays of float values pass untouched.',
    ),
    'choice.layout.automatic': vscode.l10n.t('Automatic'),
    'choice.layout.nchw': vscode.l10n.t('NCHW (channels first)'),
    'choice.layout.nhwc': vscode.l10n.t('NHWC (channels last)'),
    'choice.color.automatic': vscode.l10n.t('Automatic'),
    'choice.color.rgb': vscode.l10n.t('RGB'),
    'choice.color.bgr': vscode.l10n.t('BGR'),
    'estimator.mse': vscode.l10n.t('Clips where that makes the total squared error smallest. A good start.'),
    'estimator.min-max': vscode.l10n.t('Keeps every value seen; one outlier widens the whole range.'),
    'estimator.percentile:99.99': vscode.l10n.t('Ignores the outermost 0.01 % of the values.'),
    'estimator.moving-average': vscode.l10n.t('Averages the extremes of the batches.'),
    'estimator.lp:2.4': vscode.l10n.t('Like mse, but punishes large errors more.'),
    'scheme.w8a8': vscode.l10n.t('int8 weights, uint8 activations: fastest on CPUs.'),
    'scheme.w4a8': vscode.l10n.t('int4 weights, uint8 activations: half the size of int8.'),
    'scheme.int8': vscode.l10n.t('int8 weights, float activations: a quarter of the size.'),
    'scheme.int4': vscode.l10n.t('int4 weights, float activations: an eighth of the size.'),
    'problem.wholeNumber': vscode.l10n.t('A whole number above 0.'),
    'problem.number': vscode.l10n.t('A number such as 0.0039 or 1/255.'),
    'problem.numbers': vscode.l10n.t('One number, or one per channel separated by commas.'),
    run: vscode.l10n.t('Run Calibration'),
    settings: vscode.l10n.t('Settings: {0}, {1}, {2} samples'),
    settingsNoData: vscode.l10n.t('Settings: {0}, {1}, no data'),
    cancel: vscode.l10n.t('Cancel'),
    cancelling: vscode.l10n.t('Cancelling; the best so far is kept…'),
    starting: vscode.l10n.t('Starting…'),
    progress: vscode.l10n.t('Progress of the calibration'),
    measured: vscode.l10n.t('Error by layer'),
    'column.local': vscode.l10n.t('Local'),
    'column.cumulative': vscode.l10n.t('Cumulative'),
    'result.done': vscode.l10n.t('Calibrated'),
    'result.cancelled': vscode.l10n.t('Cancelled: best so far'),
    'result.cancelledEarly': vscode.l10n.t('Cancelled before there were figures to keep'),
    'result.failed': vscode.l10n.t('Calibration failed'),
    resultSamples: vscode.l10n.t('{0} samples in {1} s · {2}'),
    resultOutput: vscode.l10n.t('Output:'),
    resultAgreement: vscode.l10n.t(', top-1 agreement {0}'),
    resultNoData: vscode.l10n.t('No data was involved: read these figures as rough.'),
    quantize: vscode.l10n.t('Quantize to {0}…'),
  };
}

/** Words that both pages use. */
function sharedWords(): PanelWords {
  return {
    restricted: vscode.l10n.t(
      'Restricted Mode: no native inference. Weight errors are shown; trust the workspace to calibrate or quantize.',
    ),
    notMeasured: vscode.l10n.t('Not measured yet'),
    'column.layer': vscode.l10n.t('Layer'),
    'effect.local': vscode.l10n.t('SQNR at this layer when it alone is {0}'),
    'effect.cumulative': vscode.l10n.t('SQNR at this layer when everything up to here is {0}'),
    'verdict.good': vscode.l10n.t('good'),
    'verdict.watch': vscode.l10n.t('watch'),
    'verdict.bad': vscode.l10n.t('bad'),
    'verdict.unknown': vscode.l10n.t('not measured'),
  };
}

function stageWords(): PanelWords {
  const stages = [
    'read',
    'weights',
    'shapes',
    'calibrate',
    'measure',
    'quantize',
    'export',
    'verify',
    'evaluate',
    'compare',
    'fingerprint',
  ] as const;
  const units = ['samples', 'layers', 'bytes', 'steps'] as const;
  return Object.fromEntries([
    ...stages.map((stage) => [`stage.${stage}`, stageText(stage)]),
    ...units.map((unit) => [`unit.${unit}`, unitText(unit)]),
  ]);
}
