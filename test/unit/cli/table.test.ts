/** Tables for terminals: alignment, long cells, names that try to be more than text. */
import { describe, expect, it } from 'vitest';
import { table } from '../../../server/src/cli/table';

describe('table', () => {
  it('aligns by content, numbers to the right', () => {
    const text = table(
      [{ title: 'a' }, { title: 'dB', align: 'right' }],
      [
        ['conv1', '7'],
        ['x', '40.1'],
      ],
    );
    expect(text).toBe('a        dB\nconv1     7\nx      40.1');
  });

  it('makes escapes, line breaks and changes of direction visible', () => {
    const text = table([{ title: 'layer' }], [['\u001b[31mred\nline\u202e']]);
    expect(text).toBe('layer\n\\x1b[31mred\\x0aline\\x202e');
  });

  it('shortens a cell of a thousand characters', () => {
    const [, row] = table([{ title: 'layer' }], [['n'.repeat(1000)]]).split('\n');
    expect(row).toBe(`${'n'.repeat(59)}…`);
  });
});
