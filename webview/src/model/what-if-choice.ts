/** What a user can choose in the *What if* block, and the names of the formats that stands for. No elements in here. */

export const bitWidths = [2, 3, 4, 5, 6, 7, 8] as const;
export const granularities = ['tensor', 'channel', 'group'] as const;
export const groupSizes = [16, 32, 64, 128, 256] as const;

/** Formats that are no integers with a scale, as the engine names them. */
export const otherFormats = [
  'fp8e4m3',
  'fp8e5m2',
  'mxfp4',
  'mxfp6e2m3',
  'mxfp8e4m3',
  'nvfp4',
  'nf4',
  'kmeans4',
] as const;

export interface Choice {
  /** `integer`, or the name of another format. */
  readonly kind: string;
  readonly bits: number;
  readonly granularity: (typeof granularities)[number];
  readonly group: number;
  readonly asymmetric: boolean;
}

export const firstChoice: Choice = {
  kind: 'integer',
  bits: 4,
  granularity: 'channel',
  group: 32,
  asymmetric: false,
};

/** The format that is chosen: `int5.group64.asym`. */
export function formatOf({ kind, bits, granularity, group, asymmetric }: Choice): string {
  if (kind !== 'integer') return kind;
  const scope = granularity === 'group' ? `group${group}` : granularity;
  return `int${bits}.${scope}${asymmetric ? '.asym' : ''}`;
}

/** All formats worth asking for at once: every bit width, so that the slider needs no further answer. */
export function formatsOf(choice: Choice): readonly string[] {
  if (choice.kind !== 'integer') return [choice.kind];
  return bitWidths.map((bits) => formatOf({ ...choice, bits }));
}

/** A choice from what a page remembered; odd values become those of the first choice. */
export function choiceFrom(given: Partial<Choice> | undefined): Choice {
  const one = <T>(values: readonly T[], value: unknown, otherwise: T): T =>
    values.find((known) => known === value) ?? otherwise;
  return {
    kind: one<string>(['integer', ...otherFormats], given?.kind, firstChoice.kind),
    bits: one<number>(bitWidths, given?.bits, firstChoice.bits),
    granularity: one(granularities, given?.granularity, firstChoice.granularity),
    group: one<number>(groupSizes, given?.group, firstChoice.group),
    asymmetric: given?.asymmetric === true,
  };
}
