/** An output that is mostly one constant gets the verdict of what differs between samples, and a line that says so. */
import { expect, it } from 'vitest';
import { outputLines } from '../../../server/src/cli/report';
import { layer, report } from '../rules/fixtures';

const told = (varying: number | undefined, source = 'images') => {
  const part = { sqnr: 47.2, topOneAgreement: null, ...(varying === undefined ? {} : { varying }) };
  const output = { w8a8: { ...part, execution: 'simulated', basis: 'measured', deployed: part } } as const;
  return outputLines({ ...report(layer('a')), data: { source, samples: 32 }, output }).split('\n');
};

it.each([
  [0.04, 'bad'],
  [15, 'watch'],
  [30, 'good'],
] as const)('%s dB of what differs between samples is %s', (varying, verdict) => {
  expect(told(varying).slice(0, 3)).toEqual([
    `output w8a8: 47.2 dB (${verdict}) (simulated, measured)`,
    `output w8a8: 47.2 dB (${verdict}) (deployed, measured)`,
    `  the output is mostly the same on all samples; what differs between them keeps ${varying.toFixed(1)} dB (${verdict})`,
  ]);
});

it.each([
  [37.2, 'images'],
  [undefined, 'images'],
  [0.04, 'random'],
] as const)('%s dB on %s hides nothing', (varying, source) => {
  const lines = told(varying, source);
  expect(lines[0]).toBe('output w8a8: 47.2 dB (good) (simulated, measured)');
  expect(lines.join('\n')).not.toContain('mostly the same');
});
