/** Which documentation page explains a finding: one page per family, one anchor per code. Client and server link by it. */

const families = {
  weights: ['M01', 'M02', 'M13', 'M16', 'M17', 'M28', 'M29', 'M30'],
  activations: ['M07', 'M14', 'M15', 'M18', 'M19', 'M20', 'M22', 'M24', 'M25', 'M26', 'M27'],
  graph: ['M03', 'M04', 'M05', 'M06', 'M12', 'M21'],
  execution: ['M08', 'M09', 'M10', 'M11', 'M23'],
  recipe: ['R01', 'R02', 'R03', 'R04', 'R05'],
  'script-torch': [...numbered(1, 26), ...numbered(59, 67), ...numbered(79, 84)],
  'script-weight-only': [...numbered(27, 39), ...numbered(85, 90)],
  'script-export': [...numbered(40, 58), ...numbered(68, 78)],
} as const;

/** `S01`, `S02`, … both ends included. */
function numbered(first: number, last: number): readonly string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => `S${String(first + at).padStart(2, '0')}`);
}

export type Family = keyof typeof families;

/** Codes per family, in the order of their pages. */
export const findingFamilies: Readonly<Record<Family, readonly string[]>> = families;

const documentation = 'https://github.com/quantlens/quantlens/blob/main/docs';

/** Address of a finding's section; of the index for a code that no page explains. */
export function findingUrl(code: string): string {
  const family = Object.entries(findingFamilies).find(([, codes]) => codes.includes(code))?.[0];
  return family === undefined
    ? `${documentation}/findings.md`
    : `${documentation}/findings/${family}.md#${code.toLowerCase()}`;
}
