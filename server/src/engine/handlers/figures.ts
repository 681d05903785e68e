/** Figures of one `measure` job as they arrive; the report made of them is complete in itself at any time. */
import type {
  AnalysisReport,
  Basis,
  DataReport,
  Decibel,
  ErrorMetrics,
  LayerReport,
  OutputReport,
} from '../../protocol/reports';
import type { ModelFacts } from '../analysis/model-facts';
import type { OutputEffect } from '../analysis/output-effect';
import type { ShadowResult } from '../analysis/run-shadow';
import type { Issue } from '../base/issue';
import { sqnr } from '../numerics/metrics';
import { outputReport } from './simulate';

type LayerFigures = Partial<
  Record<DecibelField, Record<string, Decibel>> &
    Record<'metrics' | 'cumulativeMetrics', Record<string, ErrorMetrics>> & {
      outputEffectBasis: Record<string, Basis>;
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
  private readonly layers = new Map<string, LayerFigures>();
  private readonly outputs: Record<string, OutputReport> = {};

  constructor(private readonly base: ModelFacts) {}

  takeLocal(scheme: string, result: Pick<ShadowResult, 'sqnr' | 'metrics'>): void {
    for (const kind of ['local', 'localWeights', 'localActivations'] as const) {
      for (const [name, db] of Object.entries(result.sqnr[kind])) this.set(name, kind, scheme, db);
    }
    for (const [name, metrics] of Object.entries(result.metrics.local)) {
      this.set(name, 'metrics', scheme, metrics);
    }
  }

  /** The whole configuration: every layer quantized. */
  takeWhole(scheme: string, result: ShadowResult): void {
    for (const [name, db] of Object.entries(result.sqnr.cumulative)) this.set(name, 'cumulative', scheme, db);
    for (const [name, metrics] of Object.entries(result.metrics.cumulative)) {
      this.set(name, 'cumulativeMetrics', scheme, metrics);
    }
    this.outputs[scheme] = { ...this.outputs[scheme], ...outputReport(result, 'simulated') };
    this.samples = Math.max(this.samples, result.samples);
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

  /** Output effects; with those of all `layers` known, what their sum predicts for the whole configuration. */
  takeEffects(scheme: string, effects: ReadonlyMap<string, OutputEffect>, layers: number): void {
    let predicted = 0;
    let basis: Basis = 'measured';
    for (const [name, effect] of effects) {
      this.set(name, 'outputEffect', scheme, effect.sqnr);
      this.set(name, 'outputEffectBasis', scheme, effect.basis);
      predicted += effect.noise;
      if (effect.basis === 'estimated') basis = 'estimated';
    }
    const measured = this.outputs[scheme]?.sqnr ?? null;
    const db = sqnr({ signal: 1, noise: predicted });
    if (effects.size === 0 || effects.size < layers || db === null || measured === null) return;
    this.patchOutput(scheme, {
      additivity: { predicted: db, measured, ratio: predicted * 10 ** (measured / 10), basis },
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
      issues: [...this.issues],
    };
  }

  patchOutput(scheme: string, patch: Partial<OutputReport>): void {
    const known = this.outputs[scheme];
    if (known) this.outputs[scheme] = { ...known, ...patch };
  }

  private set<K extends keyof LayerFigures>(
    name: string,
    field: K,
    scheme: string,
    value: NonNullable<LayerFigures[K]>[string],
  ): void {
    const layer = this.layers.get(name) ?? {};
    this.layers.set(name, { ...layer, [field]: { ...layer[field], [scheme]: value } });
  }
}
