/** What the form holds, and the request it makes. No elements in here. */
import type { CalibrationPrefill, CalibrationRequest } from '../../../server/src/protocol/views';
import { type DataValues, preprocessingOf } from '../shared/data-values';

/** The form as text, as typed. */
export interface FormValues extends DataValues {
  readonly modelUri: string;
  readonly scheme: string;
  readonly estimator: string;
  /** Sizes of free dimensions as typed, by name. */
  readonly dimensions: Readonly<Record<string, string>>;
}

/** The request of a form without problems. Empty fields are left out: the engine's defaults hold. */
export function requestOf(values: FormValues): CalibrationRequest {
  const { modelUri, source, scheme, estimator } = values;
  const samples = Number(values.samples);
  const dimensions = sizesOf(values.dimensions);
  return {
    modelUri,
    source,
    scheme,
    estimator,
    samples,
    seed: 0,
    ...preprocessingOf(values),
    ...(Object.keys(dimensions).length > 0 ? { dimensions } : {}),
  };
}

function sizesOf(dimensions: FormValues['dimensions']): Readonly<Record<string, number>> {
  const filled = Object.entries(dimensions).filter(([, size]) => size.trim() !== '');
  return Object.fromEntries(filled.map(([name, size]) => [name, Number(size)]));
}

/** Fields that a script settles. What it does not say of preprocessing is emptied; data it does not name stays. */
export function filledIn(prefill: CalibrationPrefill): Partial<DataValues> {
  const { source, scale, mean, std, resize, crop, layout, color } = prefill;
  const text = (value: string | number | undefined) => (value === undefined ? '' : String(value));
  return {
    ...(source === undefined ? {} : { source }),
    scale: text(scale),
    mean: text(mean),
    std: text(std),
    resize: text(resize),
    crop: text(crop),
    layout: text(layout),
    color: text(color),
  };
}
