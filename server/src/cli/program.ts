/** The command line's grammar: commands, flags, help with examples. What each does is in `commands/`. */
import { Command, Option } from 'commander';
import { codeLibraries } from '../codegen/index';
import { scriptTargets } from '../rules/script/script-rule';
import { early } from './early';
import { collect, list, withDataFlags, withGlobalFlags } from './options';
import { version } from './version';

const estimatorHelp =
  'min-max, moving-average, percentile[:99.99], mse, lp[:2.4], entropy, aciq[:mix|laplace|gauss], power-of-two or cosine (slow: compares outputs)';

/** Builds the program. `end` receives the exit code of the command that ran. */
export function makeProgram(end: (code: number) => void): Command {
  const program = new Command('quantlens')
    .description(
      'Quantization analysis for neural networks: where the loss is, why, and what to do. No Python, no GPU, no network.',
    )
    .version(version)
    .showHelpAfterError(false)
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 findings (lint), 2 bad usage or input, 3 internal or native failure, 130 cancelled.',
    );
  const command = (name: string, description: string, examples: readonly string[]) =>
    withGlobalFlags(program.command(name).description(description)).addHelpText(
      'after',
      `\nExamples:\n${examples.map((example) => `  $ quantlens ${example}`).join('\n')}`,
    );
  // A command's modules are loaded when it runs: `inspect` should not wait for what `quantize` needs.
  const run =
    <A extends unknown[]>(load: () => Promise<(...args: A) => Promise<number>>) =>
    async (...args: A) =>
      end(await (await load())(...args));

  command('inspect <model>', 'facts and layers from headers alone', [
    'inspect model.onnx',
    'inspect model.onnx --json --fingerprint',
  ])
    .option('--fingerprint', 'add the SHA-256 of the content, external data included')
    .action(run(async () => (await import('./commands/inspect')).inspect));

  command('print <model>', 'the model as ONNX text, weights elided', [
    'print model.onnx',
    'print model.onnx -o model.onnxtxt',
  ])
    .option('-o, --output <file>', 'write to a file')
    .option('--full', 'print all values (small models)')
    .action(run(async () => (await import('./commands/print')).print));

  withDataFlags(
    command('analyze <model>', 'error per layer and format; with data also activations and output', [
      'analyze model.onnx',
      'analyze model.onnx --data images/ --resize 256 --crop 224 --scheme w8a8,w4a8',
      'analyze model.onnx --data calibration.npy --metric local,cumulative,output --json',
      'analyze model.onnx --data images/ --find-worst 3',
      'analyze model.gguf --imatrix imatrix.gguf --scheme int4.group32,nf4',
      'analyze model.onnx --scheme int8.channel --overlay overlay.json',
    ]),
  )
    .option(
      '--scheme <names>',
      'schemes or weight formats, comma-separated (default: what --recipe plans, else w8a8)',
      list,
    )
    .option('--metric <names>', 'local, cumulative, output (default: local,cumulative)', list)
    .option('--find-worst [count]', 'layers that alone move the output most, in few runs (default: 3)')
    .option(
      '--imatrix <file>',
      'importance matrix of llama.cpp: weight errors weighted by input column as well',
    )
    .option('--overlay <file>', 'figures for Model Explorer; of several, FILE.METRIC.json each')
    .option('--estimator <name>', `range estimator: ${estimatorHelp}`)
    .option('--no-gains', 'do not measure what remedies of findings gain')
    .action(run(async () => (await import('./commands/analyze')).analyze));

  withDataFlags(
    command('calibrate <model>', 'activation ranges, with fingerprints of model and data', [
      'calibrate model.onnx --data images/ --estimator percentile:99.99 -o ranges.json',
      'calibrate model.onnx --data images/ --until-stable -o ranges.json',
    ]),
  )
    .option('--estimator <name>', `range estimator: ${estimatorHelp} (default: min-max)`)
    .option('--until-stable', 'stop once more samples no longer move the ranges (default without --samples)')
    .option('--no-until-stable', 'use all samples')
    .option('--resume', 'go on where a calibration with the same output was stopped; anew when there is none')
    .requiredOption('-o, --output <file>', 'ranges file to write')
    .action(run(async () => (await import('./commands/calibrate')).calibrate));

  /** What becomes of a model, and with which ranges. */
  const withPlanFlags = (command: Command) =>
    withDataFlags(command)
      .option(
        '--scheme <name>',
        'w8a8, w4a8, …, or a weight format for weight-only: int8, int4, int4.group32',
      )
      .option('--ranges <file>', 'ranges written by calibrate')
      .option('--encodings <file>', 'AIMET encodings: activation ranges from another tool; --data fills gaps')
      .addOption(new Option('--target <name>', 'runtime the file is made for').choices(['ort-cpu']))
      .option('--estimator <name>', `range estimator: ${estimatorHelp}`)
      .option('--methods <names>', 'methods, comma-separated', list)
      .option('--keep-float <glob>', 'layers to keep in float; repeatable', collect);

  withPlanFlags(
    command('quantize <model>', 'plan, export, then load, run and compare with the float model', [
      'quantize model.onnx --scheme w8a8 --data images/ -o model.int8.onnx',
      'quantize model.onnx --scheme int4 -o model.int4.onnx',
      'quantize model.onnx --recipe model.quant.json',
      'quantize model.onnx --scheme w8a8 --encodings model.encodings -o model.int8.onnx',
    ]),
  )
    .option('-o, --output <file>', "file to write (default: the recipe's output)")
    .action(run(async () => (await import('./commands/quantize')).quantize));

  withPlanFlags(
    command('encodings <model>', 'scales and zero points of a plan, for other tools that quantize', [
      'encodings model.onnx --scheme w8a8 --ranges ranges.json --format ort -o overrides.json',
      'encodings model.onnx --recipe model.quant.json --format aimet-2.0.0 -o model.encodings',
    ]),
  )
    .addOption(
      new Option(
        '--format <name>',
        "ort: TensorQuantOverrides of onnxruntime's Python quantizer; aimet-…: AIMET encodings of that version",
      )
        .choices(['ort', 'aimet-0.6.1', 'aimet-1.0.0', 'aimet-2.0.0'])
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'file to write')
    .action(run(async () => (await import('./commands/encodings')).encodings));

  command('export-code <recipe>', 'what a recipe decides, as Python for another library', [
    'export-code model.quant.json --as onnxruntime -o quantize_model.py',
    'export-code model.quant.json --as onnxruntime -o quantize_model.py --force',
    'export-code model.quant.json --as torchao',
    'export-code model.quant.json --as aimet --json',
  ])
    .addOption(
      new Option('--as <library>', 'library that the code calls')
        .choices(codeLibraries)
        .makeOptionMandatory(),
    )
    .option('-o, --output <file>', 'Python file to write (default: standard output)')
    .option('--force', 'replace the file if it exists')
    .action(run(async () => (await import('./commands/export-code')).exportCode));

  withDataFlags(
    command('compare <float> <quantized>', 'error per layer of an existing quantized file', [
      'compare model.onnx model.int8.onnx --data images/',
      'compare model.onnx model.int8.onnx --data images/ --metric cumulative',
    ]),
  )
    .addOption(
      new Option('--metric <name>', 'this error alone, in dB: faster, without causes and remedies').choices([
        'local',
        'cumulative',
      ]),
    )
    .option('--no-gains', 'do not measure what remedies of findings gain')
    .action(run(async () => (await import('./commands/compare')).compare));

  withDataFlags(
    command('evaluate <model>', 'accuracy, or agreement with another model', [
      'evaluate model.onnx --data test.npy --labels labels.npy',
      'evaluate model.int8.onnx --data test.npy --against model.onnx',
      'evaluate model.onnx --data ids.npy --task next-token',
    ]),
  )
    .option('--labels <file>', '.npy of integers, .tsv (file name, class) or .json')
    .option('--against <model>', 'float model to agree with')
    .addOption(new Option('--task <name>', 'what the outputs mean').choices(['classify', 'next-token']))
    .action(run(async () => (await import('./commands/evaluate')).evaluate));

  command('lint <path...>', 'findings for models, recipes, training scripts and notebooks', [
    'lint model.onnx',
    'lint train.py notebooks/ --fix',
    'lint models/ --format sarif',
    'lint model.onnx --config quantlens.json',
  ])
    .addOption(new Option('--format <name>', 'output format').choices(['text', 'json', 'sarif']))
    .option('--config <file>', 'severities and thresholds: JSON, or the settings.json of the editor')
    .addOption(
      new Option('--target <name>', 'processor that scripts quantize for; some findings need it').choices(
        scriptTargets,
      ),
    )
    .option('--fix', 'apply the safe fixes to scripts (not to notebooks)')
    .action(run(async () => (await import('./commands/lint')).lint));

  program
    .command('lsp')
    .description('the language server, for other editors')
    .option('--stdio', 'speak the protocol on stdin and stdout')
    .action(async () => {
      const { startServer } = await import('../lsp/server');
      early().interruption.release();
      startServer({ stdio: true });
    });
  return program;
}
