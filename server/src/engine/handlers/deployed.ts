/**
 * A quantized file as it is deployed: onnxruntime at its full optimisation level on this machine, so with the integer
 * kernels it chooses, against a reference run on the same samples. Errors of layers are simulated without optimisation;
 * where the two differ at the output, kernels compute something else than the file says.
 */
import type { Decibel, OutputPart } from '../../protocol/reports';
import { evaluate } from '../analysis/evaluate';
import { AgreementScorer } from '../analysis/scorers';
import { dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import type { Optimization, Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import type { PreparedModel } from './open';

/** A file and the optimisation it runs with. */
export interface Execution {
  readonly file: PreparedModel;
  readonly optimization: Optimization;
}

export interface DeployedInput {
  readonly reference: Execution;
  readonly deployed: Execution;
  /** Made for the inputs of the reference; those of the other file are met in order. */
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly threads: number;
  readonly context: Pick<ServedContext, 'signal' | 'progress'>;
}

/** dB and top-1 agreement at the first float output, as in the simulated comparison; issues of the sessions. */
export async function deployedOutput(input: DeployedInput): Promise<Outcome<OutputPart>> {
  const { reference, deployed, feeds, batchSize, threads, context } = input;
  const sessions: Session[] = [];
  const open = async ({ file, optimization }: Execution) => {
    // The graph of the file itself: nothing is folded or dropped before onnxruntime sees it.
    const session = await openSession(file.open.model, file.open, { threads, optimization });
    if (session.value) sessions.push(session.value);
    return session;
  };
  try {
    const exact = await open(reference);
    if (!exact.value) return fail(...exact.issues);
    const own = await open(deployed);
    if (!own.value) return fail(...own.issues.map(refused));
    const names = [reference.file, deployed.file].map(({ open: { model } }) => inputNames(model));
    const compared = await evaluate({
      session: renamed(own.value, names[0] ?? [], names[1] ?? []),
      reference: exact.value,
      agreement: new AgreementScorer(firstFloat(reference.file.open.model)),
      feeds,
      task: 'classify',
      batchSize,
      signal: context.signal,
      progress: (progress) => context.progress({ ...progress, stage: 'verify' }),
    });
    if (!compared.value) return fail(...compared.issues);
    const { sqnr, agreement, varying } = compared.value;
    return ok({ sqnr, topOneAgreement: agreement, ...(varying === undefined ? {} : { varying }) });
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** A file that cannot be run is no remark: whoever deploys it gets nothing. */
function refused(one: Issue): Issue {
  return one.code === 'inference-failed' ? notLoadable(one.facts.reason) : one;
}

/** A comparison goes on where the run beside it failed; a file that does not load stays an error. */
export function withoutFailure(one: Issue): Issue {
  return one.code === 'not-loadable' ? one : { ...one, severity: 'warning' };
}

/** onnxruntime refuses the file; a reason is a sentence of its own already. */
export function notLoadable(reason: string): Issue {
  return issue('not-loadable', { reason: reason.replace(/\.+$/, '') }, {}, 'error');
}

function inputNames({ graph }: Model): readonly string[] {
  return graph.dataInputs.map(({ name }) => name);
}

function firstFloat({ graph }: Model): number {
  const index = graph.outputs.findIndex(({ elementType }) => dataTypeByCode(elementType)?.kind === 'float');
  return Math.max(index, 0);
}

/** A session that takes the tensors of another model's inputs, by position. */
function renamed(session: Session, theirs: readonly string[], ours: readonly string[]): Session {
  if (theirs.every((name, index) => name === ours[index])) return session;
  return {
    inputs: session.inputs,
    outputs: session.outputs,
    release: () => session.release(),
    run: (tensors, fetches) => {
      const own = Object.entries(tensors).map(([name, tensor]) => {
        const at = theirs.indexOf(name);
        return [ours[at] ?? name, tensor] as const;
      });
      return session.run(Object.fromEntries(own), fetches);
    },
  };
}

/** Figures against the float model are told apart from here on, dB. */
const OUTPUT_DIFFERENCE = 1;

/** Above this the noise of either way is below what anybody sees, dB. */
const NEGLIGIBLE_NOISE = 40;

/** Agreement of a file with itself below which its two ways to run are not the same network, dB: verdict *good*. */
const SAME_NETWORK = 20;

/** The note where the deployed figure is more than 1 dB off the simulated one and either tells of noise. */
export function differsFromFloat(simulated: Decibel, deployed: Decibel): readonly Issue[] {
  if (simulated === null || deployed === null) return [];
  if (Math.min(simulated, deployed) >= NEGLIGIBLE_NOISE) return [];
  if (Math.abs(simulated - deployed) <= OUTPUT_DIFFERENCE) return [];
  const severity = deployed < simulated ? 'warning' : 'information';
  return [issue('execution-differs', { simulated, deployed }, {}, severity)];
}

/** The note where the two ways to run one file agree to less than 20 dB. */
export function differsFromItself({ sqnr }: OutputPart): readonly Issue[] {
  return sqnr !== null && sqnr < SAME_NETWORK
    ? [issue('execution-differs', { deployed: sqnr }, {}, 'warning')]
    : [];
}
