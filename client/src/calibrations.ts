/** Calibrations of this session by model: what the last one asked for and where its ranges lie. */
import type { CalibrationRequest, CalibrationResult } from '../../server/src/protocol/views';
import { activationBits } from './schemes';

export interface Calibration {
  readonly request: CalibrationRequest;
  readonly result: CalibrationResult;
}

export class Calibrations {
  private readonly last = new Map<string, Calibration>();

  keep(calibration: Calibration): void {
    this.last.set(calibration.request.modelUri, calibration);
  }

  of(modelUri: string): Calibration | undefined {
    return this.last.get(modelUri);
  }

  /** Ranges file of the last calibration, when it was made for activations of the same width. */
  rangesFor(modelUri: string, scheme: string): string | undefined {
    const last = this.last.get(modelUri);
    if (last?.result.rangesPath === undefined) return undefined;
    return activationBits(last.request.scheme) === activationBits(scheme)
      ? last.result.rangesPath
      : undefined;
  }
}
