// The physical limit of everything that looks at activations: a plain process that loads the float model and runs the
// samples. Usage: node bench/forward.mjs '{"model", "data", "samples", "batch", "threads", …}'; prints seconds of the runs.
import ort from 'onnxruntime-node';
import { openNpy } from './lib/arrays.mjs';

const job = JSON.parse(process.argv[2]);
const session = await ort.InferenceSession.create(job.model, {
  intraOpNumThreads: job.threads,
  interOpNumThreads: 1,
  enableMemPattern: false,
});
const data = openNpy(job.data, job.preprocessing);
const [input] = session.inputNames;
const began = performance.now();
for (let first = 0; first < job.samples; first += job.batch) {
  const count = Math.min(job.batch, job.samples - first);
  const { data: values, shape } = data.batch(first, count);
  await session.run({ [input]: new ort.Tensor('float32', values, [count, ...shape]) });
}
const seconds = (performance.now() - began) / 1000;
data.close();
await session.release();
console.log(JSON.stringify({ seconds }));
