/** Words: one line each, place first, hostile names made harmless. */
import { describe, expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import { decibels, percent, shapeText, shortBytes, shortCount } from '../../../server/src/rules/numbers';
import { verdictOf } from '../../../server/src/rules/verdict';
import { line, reported } from '../../../server/src/rules/words';

describe('lines', () => {
  it.each([
    [
      issue('file-not-found', { path: 'a.onnx' }, { path: 'a.onnx' }),
      'a.onnx: no such file. Check the path.',
    ],
    [
      issue('format-unknown', { path: 'a', looksLike: 'git-lfs' }, { path: 'a' }),
      'a: not a model but a Git LFS pointer: run "git lfs pull" to get the real file.',
    ],
    [
      issue('tensor-invalid', { tensor: 'w', reason: 'too short' }, { path: 'a', tensor: 'w' }),
      'a: tensor "w": too short. Export the model again.',
    ],
    [
      issue('graph-invalid', { reason: 'a cycle' }, { path: 'a.onnx', node: 'Add_3' }),
      'a.onnx: Add_3: the graph is not valid: a cycle.',
    ],
    [
      issue('scheme-unknown', { scheme: 'int4.grup32', expected: 'w8a8', nearest: 'int4.group32' }),
      '"int4.grup32" is not a format or scheme. Did you mean "int4.group32"? Use w8a8.',
    ],
    [issue('R01', { match: 'conv9', nearest: 'conv1' }), '"conv9" matches no layer. Did you mean "conv1"?'],
  ])('%j', (one, expected) => expect(line(one)).toBe(expected));

  it('never breaks a line or sends a terminal escape from a name', () => {
    const text = line(issue('tensor-invalid', { tensor: 'a\u001b[31m\nb\u2028', reason: 'x' }));
    expect(text).toBe('tensor "a\\x1b[31m\\x0ab\\x2028": x. Export the model again.');
  });

  it('shortens names of a megabyte', () => {
    const name = 'n'.repeat(1 << 20);
    expect(line(issue('tensor-invalid', { tensor: name, reason: 'x' })).length).toBeLessThan(200);
  });

  it('reports facts and fixes as data', () => {
    const one = issue('M13', { channels: [2], total: 8 }, { layer: 'a' }, 'information');
    expect(reported(one)).toEqual({
      code: 'M13',
      severity: 'information',
      layer: 'a',
      message: '1 of 8 channels are dead (weights zero or next to zero): 2.',
      facts: { channels: [2], total: 8 },
      fixes: [],
    });
  });
});

describe('numbers', () => {
  it.each([
    [decibels(39.554), '39.6 dB'],
    [decibels(null), '–'],
    [shortBytes(999), '999 B'],
    [shortBytes(1_112_493), '1.1 MB'],
    [shortCount(62_300), '62.3 k'],
    [percent(0.9165), '91.65 %'],
    [shapeText([16, 'N', null]), '16×N×?'],
    [shapeText([]), 'scalar'],
  ])('%s = %s', (made, expected) => expect(made).toBe(expected));
});

describe('verdicts', () => {
  it.each([
    [20, 'good'],
    [19.96, 'good'],
    [19.94, 'watch'],
    [10, 'watch'],
    [9.94, 'bad'],
    [null, 'unknown'],
  ] as const)('%s dB is %s', (db, verdict) => expect(verdictOf(db)).toBe(verdict));
});
