/** Texts of the model's page; see `panel-words.ts`. */
import * as vscode from 'vscode';
import type { PanelWords } from '../../server/src/protocol/panel';
import { layerListWords, sharedWords, stageWords } from './panel-words';

/** Words of the model's page. */
export function modelPanelWords(): PanelWords {
  return {
    ...sharedWords(),
    ...layerListWords(),
    ...stageWords(),
    opening: vscode.l10n.t('Opening the model…'),
    filter: vscode.l10n.t('Filter by name, operator or finding'),
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
    outputEffect: vscode.l10n.t('Output Effect'),
    outputEffectTitle: vscode.l10n.t(
      'Measure what each layer alone does to the model output; estimates appear first',
    ),
    noGraph: vscode.l10n.t(
      'This file holds weights without a graph: their error is measured, yet nothing can be run. Calibrating and quantizing need an ONNX model.',
    ),
    noGraphRecipe: vscode.l10n.t('Without a graph there is no recipe.'),
    needsTrust: vscode.l10n.t('Restricted Mode: trust the workspace first'),
    manageTrust: vscode.l10n.t('Manage Workspace Trust'),
    ...whatIfWords(),
    ...headlineWords(),
    compare: vscode.l10n.t('Compare…'),
    compareTitle: vscode.l10n.t('Measure a quantized file of this model against it, layer by layer'),
    'show.table': vscode.l10n.t('Table'),
    'show.chart': vscode.l10n.t('Chart'),
    showAs: vscode.l10n.t('Show the layers as'),
    chartLabel: vscode.l10n.t('Error by layer, as a chart'),
    chartColumns: vscode.l10n.t('Figures in the chart'),
    'chart.order.graph': vscode.l10n.t('Network order'),
    'chart.order.worst': vscode.l10n.t('Worst first'),
    chartEmpty: vscode.l10n.t('Choose at least one figure above.'),
    'copy.bytes': vscode.l10n.t('Stored size (bytes)'),
    'copy.macs': vscode.l10n.t('Multiply-accumulates per sample'),
    'copy.error': vscode.l10n.t('{0} (dB)'),
    'copy.basis': vscode.l10n.t('{0}, basis'),
    planned: vscode.l10n.t('Size after the recipe'),
    plannedTitle: vscode.l10n.t('Estimated from the formats that the recipe plans; {0} now'),
    data: vscode.l10n.t('Calibration data'),
    deployed: vscode.l10n.t('Measured with integer kernels, as deployed'),
    simulated: vscode.l10n.t('Measured with simulated quantization'),
    failed: vscode.l10n.t('The model cannot be read.'),
    weightsRunning: vscode.l10n.t('Analysing the weights; figures appear layer by layer.'),
    measuring: vscode.l10n.t('Measuring with the model running; figures appear layer by layer.'),
    noLayers: vscode.l10n.t('No layer with constant weights was found; there is nothing to quantize.'),
    noFloatWeights: vscode.l10n.t(
      'The weights are not stored as float, most likely because the model is quantized already; there is no error to compute on them.',
    ),
    'run.started': vscode.l10n.t('A run has started; figures appear as they are measured.'),
    'run.soFar': vscode.l10n.t('Figures so far – {0}: {1} of {2} {3}'),
    'run.cancelledLayers': vscode.l10n.t('Cancelled: {0} of {1} layers were measured.'),
    'run.cancelledOn': vscode.l10n.t('Their figures stand on {0} samples.'),
    'run.cancelledRanges': vscode.l10n.t(
      'Cancelled: ranges of {0} samples are kept, no layer was measured with them.',
    ),
    'run.cancelledNone': vscode.l10n.t('Cancelled before a layer was measured.'),
    'run.othersEarlier': vscode.l10n.t('Figures of the others are from an earlier run.'),
    'run.allEarlier': vscode.l10n.t('The figures shown are from an earlier run.'),
    'run.failed': vscode.l10n.t('The run failed: {0}'),
    quantizedAlready: vscode.l10n.t(
      'The model is quantized already: the table tells what its codes and scales are. Compare it with its float original to see errors.',
    ),
    quantizedMostly: vscode.l10n.t(
      'Of {0} layers {1} are quantized already: the table tells what their codes and scales are. Compare the file with its float original to see errors. A recipe can plan what is left in float.',
    ),
    figuresAgainstStored: vscode.l10n.t(
      'Weights stored as {0} are quantized already: their figures are the error added to the stored values after dequantization, not the error against the float original.',
    ),
    againstStored: vscode.l10n.t('against the values stored as {0}'),
    noMenu: vscode.l10n.t(
      '{0} is stored as {1} in a file without a graph: there is nothing to plan or to reveal.',
    ),
    'column.stored': vscode.l10n.t('Stored as'),
    'column.storedTitle': vscode.l10n.t('Type of the weight in the file'),
    ...quantizedWords(),
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
    'column.shape': vscode.l10n.t('Weight shape'),
    'column.params': vscode.l10n.t('Parameters'),
    'column.planned': vscode.l10n.t('Recipe'),
    'column.plannedTitle': vscode.l10n.t('Weight format that the recipe plans'),
    depthwise: vscode.l10n.t('{0} (depthwise)'),
    paramsTitle: vscode.l10n.t('{0} as stored, {1} multiply-accumulates per sample'),
    float: vscode.l10n.t('float'),
    undefinedError: vscode.l10n.t('Undefined: the weight is all zero or not finite'),
    'effect.weight': vscode.l10n.t('SQNR of the weight itself at {0}'),
    'effect.output': vscode.l10n.t('SQNR at the model output when only this layer is {0}'),
    'basis.measured': vscode.l10n.t('measured'),
  };
}

/** What matters first, above everything else. */
function headlineWords(): PanelWords {
  return {
    headlines: vscode.l10n.t('At a glance'),
    'headline.weight': vscode.l10n.t('{0} weights'),
    'headline.cumulative': vscode.l10n.t('{0} with activations'),
    'headline.local': vscode.l10n.t('{0} with activations, each layer alone'),
    'headline.output': vscode.l10n.t('{0}, each layer alone at the output'),
    'headline.allGood': vscode.l10n.t('good in all {0} layers'),
    'headline.oneGood': vscode.l10n.t('good in its only layer'),
    'headline.below': vscode.l10n.t('{0} of {1} layers below {2} dB'),
    'headline.worst': vscode.l10n.t('worst'),
    'headline.whole': vscode.l10n.t('{0}, whole model'),
    'headline.wholeAsRecipe': vscode.l10n.t('As in the recipe, whole model'),
    'headline.atOutput': vscode.l10n.t('at the output'),
    asPlanned: vscode.l10n.t('the recipe’s formats'),
    'headline.agreement': vscode.l10n.t('top-1 agreement {0}'),
    'headline.unmeasured': vscode.l10n.t('Activations'),
    'headline.unmeasuredText': vscode.l10n.t('not measured yet: int8 inference needs their ranges'),
    'headline.quantized': vscode.l10n.t('Quantized already'),
    'headline.quantizedCount': vscode.l10n.t('{0} of {1} layers: {2}'),
    'headline.runs': vscode.l10n.t('Layers in onnxruntime'),
    'headline.runs.integer': vscode.l10n.t('{0} in integers'),
    'headline.runs.blocks': vscode.l10n.t('{0} in blocks of codes'),
    'headline.runs.float': vscode.l10n.t('{0} in float'),
    columns: vscode.l10n.t('Columns'),
    columnsOf: vscode.l10n.t('Columns ({0} of {1})'),
    columnsTitle: vscode.l10n.t('Which columns are shown; those without room are left out, copies have all'),
    columnsFitted: vscode.l10n.t('What fits the window'),
  };
}

/** Of layers that are quantized already. */
function quantizedWords(): PanelWords {
  return {
    codesOf: vscode.l10n.t('{0} of {1}'),
    badScales: vscode.l10n.t('{0} bad'),
    'quantized.form': vscode.l10n.t('Form'),
    'quantizedTitle.form': vscode.l10n.t('How the layer is written in the file'),
    'quantized.weights': vscode.l10n.t('Weight format'),
    'quantizedTitle.weights': vscode.l10n.t(
      'Type of the codes and what shares one scale; asym: with zero points',
    ),
    'quantized.codes': vscode.l10n.t('Codes used'),
    'quantizedTitle.codes': vscode.l10n.t('Distinct weight codes that occur, of those the width has'),
    'quantized.effectiveLevels': vscode.l10n.t('Effective levels'),
    'quantizedTitle.effectiveLevels': vscode.l10n.t(
      'Levels that do work: exponential of the entropy of the codes',
    ),
    'quantized.ends': vscode.l10n.t('At the ends'),
    'quantizedTitle.ends': vscode.l10n.t('Share of weight codes at the two ends of the range'),
    'quantized.scales': vscode.l10n.t('Scale spread'),
    'quantizedTitle.scales': vscode.l10n.t(
      'Largest scale divided by the smallest; bad: 0, subnormal or not finite',
    ),
    'quantized.execution': vscode.l10n.t('Runs in'),
    'quantizedTitle.execution': vscode.l10n.t(
      'How onnxruntime computes it at its full optimisation level: in integers, by a kernel that reads codes in blocks, or in float',
    ),
    'execution.integer': vscode.l10n.t('integer'),
    'execution.blocks': vscode.l10n.t('blocks'),
    'execution.float': vscode.l10n.t('float'),
  };
}

/** Words of the block that asks what a weight costs in another format. */
function whatIfWords(): PanelWords {
  return {
    whatIf: vscode.l10n.t('What If…'),
    'whatIf.title': vscode.l10n.t('What if: {0}'),
    'whatIf.now': vscode.l10n.t('{0} now'),
    'whatIf.kind': vscode.l10n.t('Format'),
    'whatIf.integer': vscode.l10n.t('integer'),
    'whatIf.bits': vscode.l10n.t('Bit width'),
    'whatIf.bitsValue': vscode.l10n.t('{0} bits'),
    'whatIf.granularity': vscode.l10n.t('One scale per'),
    'granularity.tensor': vscode.l10n.t('tensor'),
    'granularity.channel': vscode.l10n.t('channel'),
    'granularity.group': vscode.l10n.t('group'),
    'whatIf.group': vscode.l10n.t('Group size'),
    'whatIf.asymmetric': vscode.l10n.t('Zero points (asymmetric)'),
    'whatIf.measuring': vscode.l10n.t('measuring…'),
    'whatIf.size': vscode.l10n.t('{0}, {1} of the float weight'),
    'whatIf.noSize': vscode.l10n.t('size unknown: ONNX does not store it'),
    'whatIf.apply': vscode.l10n.t('Put into the Recipe'),
    'whatIf.close': vscode.l10n.t('Close'),
  };
}
