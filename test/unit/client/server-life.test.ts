/** When a crashed server starts again, and which of its last lines tells why it ended. */
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../client/src/backoff';
import { LastWords } from '../../../client/src/last-words';

describe('Backoff', () => {
  it('waits longer each time and gives up at the sixth crash in three minutes', () => {
    const backoff = new Backoff();
    const delays = [0, 1, 2, 3, 4, 5].map((second) => backoff.next(second * 1000));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, undefined]);
    expect(backoff.next(6000)).toBeUndefined();
  });

  it('forgets crashes of three minutes ago', () => {
    const backoff = new Backoff();
    backoff.next(0);
    backoff.next(1000);
    expect(backoff.next(180_500)).toBe(1000);
    expect(backoff.next(600_000)).toBe(500);
  });

  it('starts anew when the user restarts', () => {
    const backoff = new Backoff();
    for (let crash = 0; crash < 6; crash++) backoff.next(crash);
    backoff.reset();
    expect(backoff.next(10)).toBe(500);
  });
});

describe('LastWords', () => {
  const check = (lines: readonly string[], expected: string | undefined) => {
    const words = new LastWords();
    for (const line of lines) words.add(line);
    expect(words.reason()).toBe(expected);
  };

  it('names the error of an uncaught exception, not its stack', () => {
    check(
      [
        '/somewhere/server.js:12',
        '    this.host.progress();',
        '              ^',
        '',
        'TypeError: this.host.progress is not a function',
        '    at Server.run (/somewhere/server.js:12:15)',
        '',
        'Node.js v24.21.0',
      ],
      'TypeError: this.host.progress is not a function',
    );
  });

  it('names what V8 says when memory ends', () => {
    check(
      [
        '<--- Last few GCs --->',
        'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
        '----- Native stack trace -----',
      ],
      'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    );
  });

  it('names an error class with its module', () => {
    check(
      ["Error [ERR_X]: Cannot find module 'a'", '    at b', '}', 'Node.js v24.21.0'],
      "Error [ERR_X]: Cannot find module 'a'",
    );
  });

  it('takes the last line that says something, or nothing', () => {
    check(['killed by the system', '', '  '], 'killed by the system');
    check(['', 'Node.js v24.21.0'], undefined);
    check([], undefined);
  });

  it('keeps a bounded number of lines and forgets on request', () => {
    const words = new LastWords();
    words.add('Error: early');
    for (let line = 0; line < 100; line++) words.add(`line ${line}`);
    expect(words.reason()).toBe('line 99');
    words.clear();
    expect(words.reason()).toBeUndefined();
  });
});
