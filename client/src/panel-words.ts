/**
 * Texts of the webviews, translated here because pages cannot ask for translations; those of the model's page: `model-words.ts`. A test compares the keys
 * with those that the pages use. `{0}` and so on are replaced by the page.
 */
import * as vscode from 'vscode';
import type { PanelWords } from '../../server/src/protocol/panel';
import { stageText, unitText } from './progress-text';

/** Words of the compare view. */
export function comparePanelWords(): PanelWords {
  return {
    ...sharedWords(),
    ...layerListWords(),
    ...stageWords(),
    ...dataWords(),
    comparing: vscode.l10n.t('Comparing…'),
    against: vscode.l10n.t('against'),
    openModel: vscode.l10n.t('Open this model'),
    'fact.output': vscode.l10n.t('Output SQNR'),
    'factTitle.output': vscode.l10n.t(
      'Signal-to-noise ratio at the model output, everything quantized as in the file',
    ),
    'fact.deployed': vscode.l10n.t('As deployed'),
    'factTitle.deployed': vscode.l10n.t(
      'The same with the kernels that onnxruntime chooses on this machine; all other figures are simulated operator by operator',
    ),
    outputAgreement: vscode.l10n.t(', top-1 agreement {0}'),
    'fact.agreement': vscode.l10n.t('Top-1 agreement'),
    'factTitle.agreement': vscode.l10n.t('Share of samples with the same highest class score'),
    'fact.kl': vscode.l10n.t('KL divergence'),
    'factTitle.kl': vscode.l10n.t(
      'Mean over samples, from the softmax of the float to that of the quantized scores',
    ),
    'fact.size': vscode.l10n.t('File size'),
    'factTitle.size': vscode.l10n.t('{0} bytes → {1} bytes, external data included'),
    'fact.layers': vscode.l10n.t('Layers compared'),
    'factTitle.layers': vscode.l10n.t('By verdict on the cumulative error'),
    'fact.data': vscode.l10n.t('Compared on'),
    compareAgain: vscode.l10n.t('Compare Again'),
    chooseData: vscode.l10n.t('Choose Data…'),
    chooseDataTitle: vscode.l10n.t('Samples that both models run on'),
    compareOn: vscode.l10n.t('Compare on These Samples'),
    closeData: vscode.l10n.t('Close'),
    'field.data': vscode.l10n.t('Samples to compare on'),
    'noData.none': vscode.l10n.t('No data: both models run on seeded noise. Read the figures as rough.'),
    'noData.random': vscode.l10n.t(
      'No data: inputs are random numbers, which no real input resembles. Read the figures as rough.',
    ),
    compareAsText: vscode.l10n.t('Compare as Text'),
    compareAsTextTitle: vscode.l10n.t('Both models as text, side by side, differences marked'),
    swap: vscode.l10n.t('Swap'),
    swapTitle: vscode.l10n.t('Take the other model as the float original'),
    manageTrust: vscode.l10n.t('Manage Workspace Trust'),
    compareRestricted: vscode.l10n.t(
      'Restricted Mode: comparing runs both models, which needs a trusted workspace.',
    ),
    compareNoData: vscode.l10n.t(
      'No data was involved: inputs are made-up numbers. Read the figures as rough.',
    ),
    cancelledPartly: vscode.l10n.t('Cancelled: figures stand on the samples measured until then.'),
    cancelledEarly: vscode.l10n.t('Cancelled before there were figures to keep.'),
    nothingToCompare: vscode.l10n.t(
      'No layer of the two models could be matched; there is nothing to compare.',
    ),
    moreProblems: vscode.l10n.t('{0} more notes'),
    cancel: vscode.l10n.t('Cancel'),
    cancelling: vscode.l10n.t('Cancelling; what was measured is kept…'),
    starting: vscode.l10n.t('Starting…'),
    progress: vscode.l10n.t('Progress of the comparison'),
    filterCompare: vscode.l10n.t('Filter by name, operator or finding'),
    'order.graph': vscode.l10n.t('Network order'),
    'order.cumulative': vscode.l10n.t('Worst cumulative error first'),
    'order.local': vscode.l10n.t('Worst local error first'),
    chartLabel: vscode.l10n.t('Error by layer, as a chart; Enter shows distributions'),
    tableLabel: vscode.l10n.t('Error by layer, as a table'),
    asTable: vscode.l10n.t('All figures'),
    'column.local': vscode.l10n.t('Local'),
    'column.cumulative': vscode.l10n.t('Cumulative'),
    'column.localWeights': vscode.l10n.t('Local, weights only'),
    'column.localActivations': vscode.l10n.t('Local, activations only'),
    'columnTitle.local': vscode.l10n.t('SQNR at this layer when it alone is quantized'),
    'columnTitle.cumulative': vscode.l10n.t('SQNR at this layer when everything up to here is quantized'),
    'columnTitle.localWeights': vscode.l10n.t('SQNR at this layer when only its weight is quantized'),
    'columnTitle.localActivations': vscode.l10n.t('SQNR at this layer when only its input is quantized'),
    'metric.mse': vscode.l10n.t('MSE'),
    'metric.cosine': vscode.l10n.t('Cosine'),
    'metric.normRatio': vscode.l10n.t('Norm ratio'),
    'metric.meanShift': vscode.l10n.t('Mean shift'),
    'metricTitle.mse': vscode.l10n.t('Mean squared error of the output, in its own units squared'),
    'metricTitle.cosine': vscode.l10n.t('Cosine between float and quantized output; blind to a gain'),
    'metricTitle.normRatio': vscode.l10n.t(
      'Length of the quantized output divided by that of the float one; 1 is right',
    ),
    'metricTitle.meanShift': vscode.l10n.t(
      'Shift of the mean, in standard deviations of the float output; 0 is right',
    ),
    undefinedFigure: vscode.l10n.t('Undefined: the float values are all zero or not finite'),
    detail: vscode.l10n.t('The chosen layer'),
    chooseLayer: vscode.l10n.t(
      'Choose a layer in the chart to see its distributions and its worst channels.',
    ),
    readingWeight: vscode.l10n.t('Reading the weight…'),
    measuringOutput: vscode.l10n.t('Measuring the output…'),
    worstChannels: vscode.l10n.t('Worst channels'),
    allChannels: vscode.l10n.t('Show the worst {0} channels'),
    'channel.index': vscode.l10n.t('Channel'),
    'channel.weightSqnr': vscode.l10n.t('Weight SQNR'),
    'channel.outputSqnr': vscode.l10n.t('Output SQNR'),
    'channel.range': vscode.l10n.t('Weight range'),
    'channel.minimum': vscode.l10n.t('Smallest weight'),
    'channel.maximum': vscode.l10n.t('Largest weight'),
    'histogram.weight': vscode.l10n.t('Weight'),
    'histogram.output': vscode.l10n.t('Output'),
    'histogram.float': vscode.l10n.t('float'),
    'histogram.quantized': vscode.l10n.t('quantized'),
    'histogram.from': vscode.l10n.t('From'),
    'histogram.to': vscode.l10n.t('To'),
    'histogram.scale': vscode.l10n.t('values per bin, logarithmic'),
    'histogram.summary': vscode.l10n.t(
      '{0} between {1} and {2} in {3} bins: the float values use {4} of them, the quantized ones {5}',
    ),
    'histogram.asTable': vscode.l10n.t('Show as table'),
  };
}

/** Words of the calibration panel. */
export function calibrationPanelWords(): PanelWords {
  return {
    ...sharedWords(),
    ...stageWords(),
    ...dataWords(),
    title: vscode.l10n.t('Calibration'),
    noModel: vscode.l10n.t('No ONNX model in this workspace. Open a folder with one.'),
    filledFrom: vscode.l10n.t('Data and preprocessing as {0} states them.'),
    manageTrust: vscode.l10n.t('Manage Workspace Trust'),
    'field.model': vscode.l10n.t('Model'),
    'field.data': vscode.l10n.t('Calibration data'),
    'field.estimator': vscode.l10n.t('Range estimator'),
    'field.scheme': vscode.l10n.t('Scheme'),
    'noData.none': vscode.l10n.t(
      'No data: ranges come from BatchNormalization statistics, else from seeded noise. Read the figures as rough.',
    ),
    'noData.random': vscode.l10n.t(
      'No data: inputs are random numbers, which no real input resembles. Read the figures as rough.',
    ),
    'estimator.mse': vscode.l10n.t('Clips where that makes the total squared error smallest. A good start.'),
    'estimator.min-max': vscode.l10n.t('Keeps every value seen; one outlier widens the whole range.'),
    'estimator.percentile:99.99': vscode.l10n.t('Ignores the outermost 0.01 % of the values.'),
    'estimator.moving-average': vscode.l10n.t('Averages the extremes of the batches.'),
    'estimator.lp:2.4': vscode.l10n.t('Like mse, but punishes large errors more.'),
    'scheme.w8a8': vscode.l10n.t('int8 weights, uint8 activations: fastest on CPUs.'),
    'scheme.recipe': vscode.l10n.t('Measures what the recipe beside the model plans, layer by layer.'),
    asRecipe: vscode.l10n.t('as in the recipe'),
    'scheme.w4a8': vscode.l10n.t('int4 weights, uint8 activations: half the size of int8.'),
    'scheme.int8': vscode.l10n.t('int8 weights, float activations: a quarter of the size.'),
    'scheme.int4': vscode.l10n.t('int4 weights, float activations: an eighth of the size.'),
    quantizedAlready: vscode.l10n.t(
      'This model is quantized already: there is nothing to calibrate. Choose its float original.',
    ),
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
    resultWorst: vscode.l10n.t('Worst so far: {0}'),
    resultMeasured: vscode.l10n.t('layers measured: {0}'),
    resultUnmeasured: vscode.l10n.t(
      'Their ranges are kept and used by Quantize; no layer was measured with them. Run again for figures.',
    ),
    resultOutput: vscode.l10n.t('Output:'),
    resultAgreement: vscode.l10n.t(', top-1 agreement {0}'),
    resultNoData: vscode.l10n.t('No data was involved: read these figures as rough.'),
    quantize: vscode.l10n.t('Quantize to {0}…'),
    quantizeAsRecipe: vscode.l10n.t('Quantize as in the recipe…'),
  };
}

/** Words of the fields on data and preprocessing. */
function dataWords(): PanelWords {
  return {
    'field.samples': vscode.l10n.t('Samples'),
    'field.scale': vscode.l10n.t('Scale'),
    'field.mean': vscode.l10n.t('Mean'),
    'field.std': vscode.l10n.t('Standard deviation'),
    'field.resize': vscode.l10n.t('Resize, shorter side in pixels'),
    'field.crop': vscode.l10n.t('Centre crop in pixels'),
    dimensions: vscode.l10n.t('Free dimensions'),
    dimensionsHelp: vscode.l10n.t(
      'Sizes of the model’s open dimensions, as with --dim on the command line. Empty: as the data says, 16 where there is none.',
    ),
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
    'problem.wholeNumber': vscode.l10n.t('A whole number above 0.'),
    'problem.number': vscode.l10n.t('A number such as 0.0039 or 1/255.'),
    'problem.numbers': vscode.l10n.t('One number, or one per channel separated by commas.'),
  };
}

/** Words of the pages that list a model's layers and findings. */
export function layerListWords(): PanelWords {
  return {
    layers: vscode.l10n.t('Layers'),
    oneLayer: vscode.l10n.t('1 layer'),
    layerCount: vscode.l10n.t('{0} layers'),
    layerCountOf: vscode.l10n.t('{0} of {1} layers'),
    legend: vscode.l10n.t('SQNR: ✓ good from {0} dB, △ watch from {1} dB, ✗ bad below'),
    findings: vscode.l10n.t('Findings'),
    findingsCount: vscode.l10n.t('Findings ({0})'),
    allFindings: vscode.l10n.t('Show all {0} findings'),
    fewerFindings: vscode.l10n.t('Show fewer'),
    explain: vscode.l10n.t('What {0} means, in the documentation'),
    showLayer: vscode.l10n.t('Show in the table'),
    inRecipe: vscode.l10n.t('Writes it into the recipe; can be undone'),
    actions: vscode.l10n.t('Actions'),
    actionsOn: vscode.l10n.t('Actions on {0}'),
    reveal: vscode.l10n.t('Reveal in Text'),
    dataValue: vscode.l10n.t('{0}, {1} samples'),
    noDataValue: vscode.l10n.t('none; {0} made-up samples'),
    'banner.warning': vscode.l10n.t('Warning:'),
    'banner.error': vscode.l10n.t('Error:'),
    'severity.error': vscode.l10n.t('Error'),
    'severity.warning': vscode.l10n.t('Warning'),
    'severity.information': vscode.l10n.t('Information'),
    'severity.hint': vscode.l10n.t('Hint'),
    'column.op': vscode.l10n.t('Op'),
    'basis.estimated': vscode.l10n.t('estimated'),
    'fix.quantize-int4': vscode.l10n.t('Quantize to int4'),
    'fix.quantize-int8': vscode.l10n.t('Quantize to int8'),
    'fix.keep-float': vscode.l10n.t('Keep in float'),
    'fix.per-channel-weights': vscode.l10n.t('Use per-channel weights'),
    'fix.fold-batchnorm': vscode.l10n.t('Fold BatchNormalization'),
    'fix.weights-8-bit': vscode.l10n.t('Use 8-bit weights'),
    'fix.activations-8-bit': vscode.l10n.t('Use 8-bit activations'),
    'fix.activations-16-bit': vscode.l10n.t('Use 16-bit activations'),
    'fix.asymmetric-activations': vscode.l10n.t('Use asymmetric activations'),
    'fix.estimator-mse': vscode.l10n.t('Estimate ranges by mse'),
    order: vscode.l10n.t('Order'),
    'chart.lowest': vscode.l10n.t('Lowest'),
    'chart.hollow': vscode.l10n.t('hollow: estimated'),
  };
}

/** Words that all pages use. */
export function sharedWords(): PanelWords {
  return {
    restricted: vscode.l10n.t(
      'Restricted Mode: no native inference. Weight errors are shown; trust the workspace to calibrate or quantize.',
    ),
    notMeasured: vscode.l10n.t('Not measured yet'),
    'column.layer': vscode.l10n.t('Layer'),
    copyTable: vscode.l10n.t('Copy Table'),
    copyTitle: vscode.l10n.t(
      'All rows as they are sorted and filtered, in full precision; Ctrl+C in the table copies CSV',
    ),
    'copyAs.csv': vscode.l10n.t('Copy as CSV'),
    'copyAs.markdown': vscode.l10n.t('Copy as Markdown'),
    'copied.csv': vscode.l10n.t('{0} rows copied as CSV'),
    'copied.markdown': vscode.l10n.t('{0} rows copied as Markdown'),
    'effect.local': vscode.l10n.t('SQNR at this layer when it alone is {0}'),
    'effect.cumulative': vscode.l10n.t('SQNR at this layer when everything up to here is {0}'),
    'verdict.good': vscode.l10n.t('good'),
    'verdict.watch': vscode.l10n.t('watch'),
    'verdict.bad': vscode.l10n.t('bad'),
    'verdict.unknown': vscode.l10n.t('not measured'),
  };
}

export function stageWords(): PanelWords {
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
  return {
    'said.started': vscode.l10n.t('Measuring has started.'),
    'said.progress': vscode.l10n.t('{0}: {1} percent'),
    'said.ended': vscode.l10n.t('Measuring has ended.'),
    ...Object.fromEntries([
      ...stages.map((stage) => [`stage.${stage}`, stageText(stage)]),
      ...units.map((unit) => [`unit.${unit}`, unitText(unit)]),
    ]),
  };
}
