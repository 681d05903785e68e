/** Figures of one `measure` job as they arrive; the report made of them is complete in itself at any time. */
import type {
  AnalysisReport,
  Basis,
  DataReport,
  Decibel,
  ErrorMetrics,
  InputChannels,
  JoinedActivations,
  LayerReport,
  OutputReport,
} from '../../protocol/reports';
import type { ModelFacts } from '../analysis/model-facts';
import type { BatchNoise, OutputEffect } from '../analysis/output-effect';
import type { ShadowResult } from '../analysis/run-shadow';
import type { Issue } from '../base/issue';
import { sqnr } from '../numerics/metrics';
import { outputReport } from './simulate';

type LayerFigures = Partial<
  Record<DecibelField, Record<string, Decibel>> &
    Record<'metrics' | 'cumulativeMetrics', Record<string, ErrorMetrics>> & {
      outputEffectBasis: Record<string, Basis>;
      inputChannels: InputChannels;
    }
>;

type DecibelField =
  | 'local'
  | 'localWeights'
  | 'localActivations'
  | 'cumulative'
  | 'cumulativeWeights'
  | 'cumulativeActivations'
  | 'outputEffect';

export class Figures {
  readonly issues: Issue[] = [];
  samples = 0;
  joined: readonly JoinedActivations[] = [];
  private readonly layers = new Map<string, LayerFigures>();
  private readonly outputs: Record<string, OutputReport> = {};
  /** Output noise of all that belongs to layers, by scheme and batch. */
  private readonly together = new Map<string, readonly BatchNoise[]>();

  constructor(private readonly base: ModelFacts) {}

  takeLocal(scheme: string, result: Pick<ShadowResult, 'sqnr' | 'metrics'>): void {
    for (const kind of ['local', 'localWeights', 'localActivations'] as const) {
      for (const [name, db] of Object.entries(result.sqnr[kind])) this.set(name, kind, scheme, db);
    }
    for (const [name, metrics] of Object.entries(result.metrics.local)) {
      this.set(name, 'metrics', scheme, metrics);
    }
  }

  takeChannels(layers: readonly string[], inputChannels: InputChannels | undefined): void {
    if (!inputChannels) return;
    for (const name of layers) this.layers.set(name, { ...this.layers.get(name), inputChannels });
  }

  /** The whole configuration: every layer quantized. */
  takeWhole(scheme: string, result: ShadowResult): void {
    this.together.set(scheme, [...(result.runs ?? [])]);
    this.takeCumulative(scheme, result);
    this.outputs[scheme] = { ...this.outputs[scheme], ...outputReport(result, 'simulated') };
    this.samples = Math.max(this.samples, result.samples);
  }

  /** Weights and inputs of all layers quantized, nothing between them. */
  takeLayersTogether(scheme: string, result: ShadowResult): void {
    this.together.set(scheme, [...(result.runs ?? [])]);
    const { sqnr: db, topOneAgreement } = outputReport(result, 'simulated');
    this.patchOutput(scheme, { layersOnly: { sqnr: db, topOneAgreement } });
  }

  takeCumulative(scheme: string, { sqnr: db, metrics }: Pick<ShadowResult, 'sqnr' | 'metrics'>): void {
    for (const [name, value] of Object.entries(db.cumulative)) this.set(name, 'cumulative', scheme, value);
    for (const [name, value] of Object.entries(metrics.cumulative))
      this.set(name, 'cumulativeMetrics', scheme, value);
  }

  /** The whole configuration with only its weights or only its activations quantized. */
  takePart(scheme: string, part: 'weights' | 'activations', result: ShadowResult): void {
    const field = part === 'weights' ? 'cumulativeWeights' : 'cumulativeActivations';
    for (const [name, db] of Object.entries(result.sqnr.cumulative)) this.set(name, field, scheme, db);
    const { sqnr: db, topOneAgreement } = outputReport(result, 'simulated');
    this.patchOutput(scheme, {
      [part === 'weights' ? 'weightsOnly' : 'activationsOnly']: { sqnr: db, topOneAgreement },
    });
  }

  /** Output effects; with those of all `layers` known, what their sum predicts for all layers at once. */
  takeEffects(scheme: string, effects: ReadonlyMap<string, OutputEffect>, layers: number): void {
    let predicted = 0;
    let basis: Basis = 'measured';
    for (const [name, effect] of effects) {
      this.set(name, 'outputEffect', scheme, effect.sqnr);
      this.set(name, 'outputEffectBasis', scheme, effect.basis);
      predicted += effect.noise;
      if (effect.basis === 'estimated') basis = 'estimated';
    }
    const output = this.outputs[scheme];
    const measured = (output?.layersOnly ?? output)?.sqnr ?? null;
    const db = sqnr({ signal: 1, noise: predicted });
    if (effects.size === 0 || effects.size < layers || db === null || measured === null) return;
    const error = ratioError([...effects.values()], this.together.get(scheme) ?? []);
    this.patchOutput(scheme, {
      additivity: {
        predicted: db,
        measured,
        ratio: predicted * 10 ** (measured / 10),
        basis,
        ...(error === undefined ? {} : { error }),
      },
    });
  }

  report(data: Omit<DataReport, 'samples'>): AnalysisReport {
    const layers: readonly LayerReport[] = this.base.layers.map((layer) => ({
      ...layer,
      ...this.layers.get(layer.name),
    }));
    return {
      model: this.base.model,
      data: { ...data, samples: this.samples },
      layers,
      output: { ...this.outputs },
      ...(this.joined.length > 0 ? { joined: this.joined } : {}),
      issues: [...this.issues],
    };
  }

  patchOutput(scheme: string, patch: Partial<OutputReport>): void {
    const known = this.outputs[scheme];
    if (known) this.outputs[scheme] = { ...known, ...patch };
  }

  private set<K extends Exclude<keyof LayerFigures, 'inputChannels'>>(
    name: string,
    field: K,
    scheme: string,
    value: NonNullable<LayerFigures[K]>[string],
  ): void {
    const layer = this.layers.get(name) ?? {};
    this.layers.set(name, { ...layer, [field]: { ...layer[field], [scheme]: value } });
  }
}

/**
 * Standard error of (noise of single effects, added up) / (noise of all at once), by leaving out one batch of samples
 * at a time; `undefined` for one batch, or while effects and whole do not stand on the same batches.
 */
export function ratioError(
  effects: readonly (Pick<OutputEffect, 'batches'> & Partial<Pick<OutputEffect, 'sqnr'>>)[],
  whole: readonly BatchNoise[],
): number | undefined {
  if (whole.length < 2) return undefined;
  const sums = whole.map(() => 0);
  for (const { batches = [], sqnr: effect } of effects) {
    // It never runs.
    if (effect === null && batches.length === 0) continue;
    if (batches.length !== whole.length) return undefined;
    for (const [index, { samples, noise }] of batches.entries()) {
      if (samples !== whole[index]?.samples) return undefined;
      sums[index] = (sums[index] ?? 0) + noise;
    }
  }
  const predicted = sums.reduce((sum, one) => sum + one, 0);
  const measured = whole.reduce((sum, { noise }) => sum + noise, 0);
  const without = whole.map(({ noise }, index) => (predicted - (sums[index] ?? 0)) / (measured - noise));
  const center = without.reduce((sum, one) => sum + one, 0) / without.length;
  const spread = without.reduce((sum, one) => sum + (one - center) ** 2, 0);
  const error = Math.sqrt((spread * (without.length - 1)) / without.length);
  return Number.isFinite(error) ? error : undefined;
}
