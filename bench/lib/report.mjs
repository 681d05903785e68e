// Results of bench/peers.mjs as text and as docs/benchmarks.md.
import { writeFileSync } from 'node:fs';

/** Tables of a run, for a terminal and for the page alike. */
export function summary(result) {
  const { machine, threads, load, start, quick } = result;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.gigabytes} GB; Node ${machine.node}, onnxruntime ${machine.onnxruntime}` +
      `${machine.python ? `, Python onnxruntime ${machine.python}` : ', no Python'}; ${threads} thread${threads === 1 ? '' : 's'}; ` +
      `${machine.date}; load average ${load.map((one) => one.toFixed(1)).join(' → ')}${quick ? '; one run each (`--quick`)' : ''}`,
    '',
    `Starting alone, part of every figure: \`quantlens --version\` ${time(start.ours)}` +
      `${start.theirs ? `, Python with its imports ${time(start.theirs)}` : ''}.`,
  ];
  for (const model of result.models) {
    lines.push(
      '',
      `## ${model.name}`,
      '',
      `${(model.params / 1e6).toFixed(2)} M parameters, ${(model.bytes / 1e6).toFixed(1)} MB; batches of ${model.batch}.`,
      '',
      '| task | samples | Quantlens | Python tools | theirs / ours | processor time | memory, ours | theirs | theirs / ours |',
      '|---|---|---|---|---|---|---|---|---|',
      ...model.tasks.map(({ task, samples, ours, theirs }) =>
        row([
          task,
          samples ?? '–',
          time(ours),
          time(theirs),
          ratio(theirs?.seconds, ours.seconds),
          ratio(theirs?.processor, ours.processor),
          memory(ours),
          memory(theirs),
          ratio(theirs?.megabytes, ours.megabytes),
        ]),
      ),
      '',
      `Physical limits: copying the ${(model.limits.bytes / 1e6).toFixed(1)} MB of the file in memory ${milliseconds(model.limits.copy)}.`,
      '',
      '| plain runs of the float model | whole process | runs alone | memory | min-max / plain: time | processor | memory | percentile / plain: time | processor | memory |',
      '|---|---|---|---|---|---|---|---|---|---|',
      ...model.limits.forwards.map((forward) => {
        const of = (estimator) =>
          model.tasks.find(
            (one) => one.task === `calibration, ${estimator}` && one.samples === forward.samples,
          )?.ours;
        const against = (estimator) => [
          ratio(of(estimator)?.seconds, forward.seconds),
          ratio(of(estimator)?.processor, forward.processor),
          ratio(of(estimator)?.megabytes, forward.megabytes),
        ];
        return row([
          `${forward.samples} samples`,
          time(forward),
          milliseconds(forward.inner),
          memory(forward),
          ...against('min-max'),
          ...against('percentile'),
        ]);
      }),
    );
  }
  return lines.join('\n');
}

export function writePage(file, result) {
  writeFileSync(
    file,
    `# Benchmarks

Written by \`npm run build -- --production && node bench/peers.mjs --write\`: Quantlens and onnxruntime's Python quantization
tools (\`qdq_loss_debug\`, \`create_calibrator\`, \`quantize_static\`) in the same run, on the same inputs, with the same number of
threads. Times are of whole processes, from the command to its end, the best of two to five, of one with \`--quick\`; memory is the sum of the largest
resident memory of all processes that a command starts; the ratio headed "processor time" is of what all of them used. Both
programs pay for their start: on small networks that is most of the time, and ours are two processes. A load average above
the number of threads means that the machine had other work: times are then several times too long and their ratios rough;
those of processor time and memory hold better. "Plain runs" load the float model in a bare process and run the samples once:
nothing that looks at activations can be faster. Other measurements: \`bench/weight-error.ts\` (kernels), \`bench/formats.ts\`
(every format; figures in [formats.md](formats.md)), \`bench/budgets.mjs\` (start, memory), \`bench/lsp-latency.mjs\` (editor).

${summary(result)}
`,
  );
}

function row(cells) {
  return `| ${cells.join(' | ')} |`;
}

function time(measured) {
  if (measured === undefined) return '–';
  if (measured.failed !== undefined) return measured.failed;
  return measured.seconds < 1 ? milliseconds(measured.seconds) : `${measured.seconds.toFixed(1)} s`;
}

function milliseconds(seconds) {
  return `${(seconds * 1000).toPrecision(seconds < 0.01 ? 2 : 3)} ms`;
}

function memory(measured) {
  return measured?.megabytes ? `${measured.megabytes.toFixed(0)} MB` : '–';
}

function ratio(theirs, ours) {
  return theirs && ours ? `${(theirs / ours).toFixed(theirs / ours < 10 ? 2 : 0)} ×` : '–';
}
